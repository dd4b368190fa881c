package hook

import "strings"

// escaped are the characters that MHA's escape_for_shell puts a backslash before. Its list names a
// line feed and the byte 0xFF, too, in a spelling that matches neither.
const escaped = "\"!#&;`|*?~<>^()[]{}$, \\"

// Unescape takes back what MHA does to users and passwords: within single quotes, which the shell
// takes off, it puts a backslash before some characters. A backslash before any other character
// is one that MHA did not put there.
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(escaped, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
