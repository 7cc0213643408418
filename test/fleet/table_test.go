//go:build unix

package fleet

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table prints a row a step.
func table(breaches []*breach) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "killed at\tfor the\tbreaches\tkills\ttold\tuntold\tends told\tas two incidents\trepeats\tmost copies\t")
	var sum [8]int
	for _, step := range steps {
		for _, end := range []bool{false, true} {
			var n [8]int
			for _, b := range breaches {
				if b.step == step && b.end == end {
					b.addTo(&n)
				}
			}
			phase := map[bool]string{false: "firing", true: "end"}[end]
			if n[0] > 0 {
				printRow(w, step, phase, n)
			}
			for i := range sum[:7] {
				sum[i] += n[i]
			}
			sum[7] = max(sum[7], n[7])
		}
	}
	printRow(w, "all", "", sum)
	w.Flush()
	return out.String()
}

func printRow(w io.Writer, step, phase string, n [8]int) {
	fmt.Fprintf(w, "%s\t%s\t", step, phase)
	for _, v := range n {
		fmt.Fprintf(w, "%d\t", v)
	}
	fmt.Fprintln(w)
}

// addTo adds a breach to the numbers of a row.
func (b *breach) addTo(n *[8]int) {
	number := map[bool]int{true: 1}
	n[0]++
	n[1] += number[b.killed.PID != 0]
	n[2] += number[len(b.fired) > 0]
	n[3] += number[len(b.fired) == 0]
	n[4] += number[len(b.ended) > 0]
	n[5] += number[len(b.fired) > 1]
	n[6] += b.repeats
	n[7] = max(n[7], b.most)
}
