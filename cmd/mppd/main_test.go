package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheManPageNamesEveryOption(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "packaging", "man", "mppd.8"))
	if err != nil {
		t.Fatal(err)
	}
	var help bytes.Buffer
	run([]string{"-help"}, &help, &help)
	options := regexp.MustCompile(`(?m)^\s+(-[a-z]+)\b`).FindAllSubmatch(help.Bytes(), -1)
	if len(options) < 3 {
		t.Fatalf("only %d options found in\n%s", len(options), help.Bytes())
	}
	plain := strings.ReplaceAll(string(page), `\-`, "-")
	for _, o := range options {
		if !strings.Contains(plain, string(o[1])) {
			t.Errorf("the man page does not name %s", o[1])
		}
	}
}
