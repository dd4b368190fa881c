package format

// End adds the last line to lines.
func End(lines []byte) []byte { return end(lines, 0) }
