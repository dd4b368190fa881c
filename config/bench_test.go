package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkLoad loads pools of three nodes each.
func BenchmarkLoad(b *testing.B) {
	for _, pools := range []int{1, 1000} {
		b.Run(fmt.Sprintf("pools=%d", pools), func(b *testing.B) {
			var text strings.Builder
			text.WriteString("defaults.account.no_password = true\n")
			for i := range pools {
				fmt.Fprintf(&text, "[[pool]]\nname = \"p%d\"\n", i)
				for j, kind := range []string{"PRIMARY", "SECONDARY", "SECONDARY"} {
					fmt.Fprintf(&text, "[[pool.node]]\naddress = \"n%d-%d\"\ntype = \"%s\"\n", i, j, kind)
				}
			}
			path := filepath.Join(b.TempDir(), "mpp.toml")
			if err := writeFile(path, text.String()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := Load(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
