// Package nearest finds what was probably meant by a misspelt word.
package nearest

import (
	"strings"
	"unicode/utf8"
)

// maxCandidates bounds the work of one word.
const maxCandidates = 1000

func abs(n int) int { return max(n, -n) }

// Of returns the candidate that is nearest to word, and "" if none is near: at
// most a third of the letters, and never more than three, may differ. A swap
// of neighbours counts as one difference, and case counts as none. Of one
// letter only the case may differ. Among equals
// the first wins.
func Of(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	most := min(3, max(1, utf8.RuneCountInString(word)/3))
	if utf8.RuneCountInString(word) < 2 {
		most = 0
	}
	best, bestDistance := "", most+1
	folded := strings.ToLower(word)
	for _, c := range candidates[:min(len(candidates), maxCandidates)] {
		if c == word || abs(len(c)-len(word)) > 4*most {
			continue
		}
		if d := distance([]rune(folded), []rune(strings.ToLower(c))); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance (Damerau-Levenshtein with
// each substring edited at most once).
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
