package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/benchmarks/internal/result"
)

const ours = "hawkeye"

// tables writes an overview of the bars and a table for each path.
func tables(set *result.Set, suites []suite) string {
	var bars, details strings.Builder
	for _, s := range suites {
		for _, p := range s.paths {
			p.writeBars(&bars, set)
			p.write(&details, set)
		}
	}
	if bars.Len() == 0 {
		return details.String()
	}
	return "| path | cores | bar | measured | | best peer | ratio |\n|---|---:|---:|---:|---|---:|---:|\n" + bars.String() + "\n" + details.String()
}

// value is the figure of a case.
func (u unit) value(set *result.Set, c result.Case) (float64, bool) {
	v, ok := set.Median(c, u.of)
	if !ok {
		return 0, false
	}
	if u.less != "" {
		base := c
		base.Who = u.less
		less, ok := set.Median(base, u.of)
		if !ok {
			return 0, false
		}
		v -= less
	}
	switch {
	case u.over != 0:
		return u.over / v, true
	case u.per != 0:
		return v / u.per, true
	}
	return v, true
}

func (p path) writeBars(out *strings.Builder, set *result.Set) {
	for _, b := range p.bars {
		u := p.unit
		if b.of != nil {
			u = *b.of
		}
		c := result.Case{Bench: p.bench, Who: ours, Sub: b.sub, CPU: b.cpu}
		v, ok := u.value(set, c)
		if !ok {
			continue
		}
		sign, met := "≤", v <= b.limit
		if b.atLeast {
			sign, met = "≥", v >= b.limit
		}
		verdict := "met"
		if !met {
			verdict = "**missed**"
		}
		peer, ratio := "–", "–"
		if who, best, ok := p.best(set, u, c); ok {
			peer, ratio = fmt.Sprintf("%s %s", who, number(best)), ratioText(u, best, v)
		}
		fmt.Fprintf(out, "| %s | %d | %s %s %s | %s | %s | %s | %s |\n", strings.Trim(p.title+", "+b.sub, ", "), b.cpu, sign, number(b.limit), u.name, number(v), verdict, peer, ratio)
	}
}

// best is the best peer under the same conditions, or without any if that is
// how it is measured.
func (p path) best(set *result.Set, u unit, of result.Case) (who string, best float64, found bool) {
	for _, c := range set.Cases(p.bench) {
		if c.Who == ours || c.Who == u.less || slices.Contains(p.beside, c.Who) || c.CPU != of.CPU || c.Sub != of.Sub && c.Sub != "" {
			continue
		}
		v, ok := u.value(set, c)
		if better := v < best != (u.over != 0); ok && (!found || better) {
			who, best, found = c.Who, v, true
		}
	}
	return who, best, found
}

// ratioText is how many times better hawkeye is.
func ratioText(u unit, peer, v float64) string {
	if u.over != 0 {
		peer, v = v, peer
	}
	if v <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.3g×", peer/v)
}

// write writes the path's table: a line a case, a pair of columns for each
// number of processors.
func (p path) write(out *strings.Builder, set *result.Set) {
	cases := set.Cases(p.bench)
	if len(cases) == 0 {
		return
	}
	var cpus []int
	var rows []result.Case // CPU 0
	for _, c := range cases {
		if !slices.Contains(cpus, c.CPU) {
			cpus = append(cpus, c.CPU)
		}
		row := c
		row.CPU = 0
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
	}
	extra := p.extraUnits(set, cases)
	fmt.Fprintf(out, "### %s\n\n", p.title)
	if p.note != "" {
		fmt.Fprintf(out, "%s\n\n", p.note)
	}
	header, rule := "| |", "|---|"
	for _, n := range cpus {
		header += fmt.Sprintf(" %s, %s | ratio | allocs/op |", p.unit.name, cores(n))
		rule += "---:|---:|---:|"
	}
	for _, unit := range extra {
		header += " " + unit + " |"
		rule += "---:|"
	}
	fmt.Fprintf(out, "%s\n%s\n", header, rule)
	for _, row := range rows {
		p.writeRow(out, set, row, cpus, extra)
	}
	fmt.Fprintf(out, "\nMedians of %d.\n\n", set.Runs(cases[0]))
}

func (p path) writeRow(out *strings.Builder, set *result.Set, row result.Case, cpus []int, extra []string) {
	fmt.Fprintf(out, "| %s |", strings.TrimSpace(row.Who+" "+row.Sub))
	for _, n := range cpus {
		c := row
		c.CPU = n
		u := p.unit
		if c.Who == u.less {
			u.less, u.name = "", "ns"
		}
		v, ok := u.value(set, c)
		if !ok {
			out.WriteString(" | | |")
			continue
		}
		ratio := ""
		us := c
		us.Who = ours
		if mine, ok := u.value(set, us); ok && c.Who != ours && c.Who != p.unit.less {
			ratio = ratioText(u, v, mine)
		}
		allocs, _ := set.Median(c, "allocs/op")
		fmt.Fprintf(out, " %s | %s | %s |", number(v), ratio, number(allocs))
	}
	for _, unit := range extra {
		c := row
		c.CPU = cpus[len(cpus)-1]
		if v, ok := set.Median(c, unit); ok {
			fmt.Fprintf(out, " %s |", number(v))
		} else {
			out.WriteString(" |")
		}
	}
	out.WriteString("\n")
}

// extraUnits are what the benchmarks reported themselves, but for what the
// path shows anyway.
func (p path) extraUnits(set *result.Set, cases []result.Case) (units []string) {
	for _, c := range cases {
		for _, u := range set.Units(c) {
			if u != p.unit.of && !slices.Contains(units, u) {
				units = append(units, u)
			}
		}
	}
	return units
}

func cores(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", n)
}

// number has three digits, or all of a whole number.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 1000:
		return fmt.Sprintf("%.0f", v)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%.3g", v), ".")
	}
}
