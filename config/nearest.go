package config

import "strings"

// nearest returns the candidate that a mistyped word most likely means, "" when none is
// near. Case counts for nothing; swapped neighbours count once.
func nearest(word string, candidates []string) string {
	if word == "" || len(word) > maxName {
		return ""
	}
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, candidate := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(candidate))
		if d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return containing(strings.ToLower(word), candidates)
	}
	return best
}

// containing finds the one candidate that the word is a part of, or that is a part of it:
// "nodes" for "node" is near anyway, "poll_interval" for "interval" is not.
func containing(word string, candidates []string) string {
	found := ""
	for _, candidate := range candidates {
		lower := strings.ToLower(candidate)
		if len(word) < 4 || len(lower) < 4 || !strings.Contains(lower, word) && !strings.Contains(word, lower) {
			continue
		}
		if len(candidate) > len(found) {
			found = candidate
		}
	}
	return found
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours
// between two words (optimal string alignment).
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
