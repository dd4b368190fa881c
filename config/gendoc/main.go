// Command gendoc writes the reference of the configuration to the file that it is given. It
// is run by go generate ./config; it blocks on that file only and has nothing to test.
package main

import (
	"fmt"
	"os"

	"mpp/config"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendoc FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(config.Reference()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}
