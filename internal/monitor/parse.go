package monitor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Options are what a file can't say.
type Options struct {
	// LookupEnv finds the value of a variable; default os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Kinds are the kinds of receivers that are registered beyond email.
	Kinds []string
	// What follows is from code, and is checked with the files. A Pos with a
	// File says where in the code.
	Receivers  []Receiver
	Monitors   []Monitor
	SLOs       []SLO
	Heartbeats []Heartbeat
	Inhibits   []Inhibit
	MuteTimes  []MuteTime
	// Generation is that of the code; the highest one counts.
	Generation int64
	// Location is that of the code; one in a file wins.
	Location *time.Location
}

// Source is one file.
type Source struct {
	Name string
	Data []byte
}

// Parse reads one file by the default [Options].
func Parse(filename string, data []byte) (*Set, error) {
	return Options{}.Parse(Source{filename, data})
}

// Load reads the files that patterns name (see [filepath.Glob]) and makes one
// Set of them and of what the options hold. A folder stands for the files in
// it that end in .yaml or .yml, without tests (_test.yaml). A pattern or folder
// that holds none is an error. Files of one pattern are taken in the order of
// their names.
//
// It reads at most [MaxFileBytes] of each. Errors in the content are an
// [*Errors].
func (o Options) Load(patterns ...string) (*Set, error) {
	sources, err := Read(patterns...)
	if err != nil {
		return nil, err
	}
	return o.Parse(sources...)
}

// Read reads the files that patterns name, as [Options.Load] does. With an
// error, which names each file that can't be read, it returns the others.
func Read(patterns ...string) ([]Source, error) {
	var sources []Source
	var failed []error
	seen := map[string]bool{}
	for _, pattern := range patterns {
		names, err := expand(pattern)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			data, err := readFile(name)
			if err != nil {
				failed = append(failed, fmt.Errorf("read configuration: %w", err))
				continue
			}
			sources = append(sources, Source{name, data})
		}
	}
	return sources, errors.Join(failed...)
}

// expand lists the files that a pattern names. A name without special
// characters stands for itself, so that its absence is told as such.
func expand(pattern string) ([]string, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && info.IsDir():
		return folder(pattern)
	case err == nil || !strings.ContainsAny(pattern, "*?["):
		return []string{pattern}, nil
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("read configuration: pattern %q: %w", pattern, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read configuration: no file matches %q", pattern)
	}
	sort.Strings(names)
	return names, nil
}

// folder lists the configuration files in a folder, not those of its folders.
func folder(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var names []string
	for _, e := range entries {
		base, isYAML := strings.CutSuffix(e.Name(), ".yaml")
		if !isYAML {
			base, isYAML = strings.CutSuffix(e.Name(), ".yml")
		}
		if isYAML && !e.IsDir() && !strings.HasPrefix(base, ".") && !strings.HasSuffix(base, "_test") {
			names = append(names, filepath.Join(name, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read configuration: the folder %q holds no .yaml or .yml file", name)
	}
	return names, nil
}

// readFile reads a regular file, one byte more than is allowed at most. It is
// looked at before it is opened: to open a named pipe waits for its writer.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, opening(err)
	}
	refuse := func(why string) ([]byte, error) {
		return nil, &os.PathError{Op: "read", Path: name, Err: errors.New(why)}
	}
	switch {
	case info.IsDir():
		return refuse("is a directory; name its files, as in " + filepath.Join(name, "*.yaml"))
	case !info.Mode().IsRegular():
		return refuse("is not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}

// opening makes of the error of a look at a file the one that opening it has.
func opening(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return &os.PathError{Op: "open", Path: path.Path, Err: path.Err}
	}
	return err
}

// Parse makes one Set of several files and of what the options hold. The
// error is an [*Errors] with every mistake. Parse is bounded in time and
// memory whatever the files hold, and does no I/O.
func (o Options) Parse(sources ...Source) (*Set, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	b := builder{set: &Set{}, options: o, sink: &sink{}, globals: map[string]Position{}, twins: map[string]int{}, first: map[string]Position{}}
	var files []string
	for _, src := range sources {
		files = append(files, src.Name)
		b.file(src)
	}
	b.fromCode()
	b.check()
	if err := b.sink.err(files); err != nil {
		return nil, err
	}
	order(b.sink.lints, files)
	b.set.Lints = b.sink.lints
	b.set.Files = files
	if b.set.Version == 0 {
		b.set.Version = 2
	}
	b.set.Hash = b.set.hash()
	return b.set, nil
}

// builder puts a Set together. The places run beside the Set's slices.
type builder struct {
	set     *Set
	options Options
	sink    *sink
	twins   map[string]int      // how many version-1 monitors have a key
	first   map[string]Position // where a key stood first with an aggregate
	globals map[string]Position // where service, environment and from were set

	monitors, receivers, slos, heartbeats, inhibits, mutes []place
}

// file reads one file into the Set.
func (b *builder) file(src Source) {
	f := newFile(src, b.sink)
	root, problem := f.tree()
	if problem != nil {
		b.sink.add(*problem)
		return
	}
	r := &reader{file: f, lookup: b.options.LookupEnv, sink: b.sink, nodes: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}, broken: map[string]bool{}}
	v, _ := r.visit(root, "")
	r.hideSecrets(root, false)
	r.inspect(root, nil)
	r.visits = -r.nodesIn
	r.version = b.version(v)
	b.set.Version = max(b.set.Version, r.version)
	switch r.version {
	case 1:
		b.version1(v)
	case 2:
		b.version2(v)
	}
}

// crumb is a step of a path that is written out only if there is a problem.
type crumb struct {
	up    *crumb
	key   string
	index int
}

func (c *crumb) String() string {
	if c == nil {
		return ""
	}
	if c.key == "" {
		return c.up.String() + "[" + strconv.Itoa(c.index) + "]"
	}
	return child(c.up.String(), c.key)
}

// inspect finds what no part of a file may have: explicit tags, a key twice,
// keys that are no texts.
func (r *reader) inspect(n *yaml.Node, at *crumb) {
	r.nodesIn++
	if n.Style&yaml.TaggedStyle != 0 && !r.sink.full() {
		r.explicitTag(n, at)
	}
	if isTemplate(n) {
		r.problem(n, at.String(), "a value can't begin with {{; put it in quotes", "")
		return
	}
	if n.Kind != yaml.MappingNode {
		for i, c := range n.Content {
			r.inspect(c, &crumb{at, "", i})
		}
		return
	}
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		here := &crumb{at, k.Value, i}
		if k.Kind != yaml.ScalarNode {
			r.problem(k, at.String(), "a key must be a text, found "+describe(k), "")
			continue
		}
		if old := first[k.Value]; old != nil && !r.sink.full() {
			r.problem(k, here.String(), "the key "+quote(k.Value)+" stands here twice; the first is at line "+strconv.Itoa(old.Line), "")
		}
		first[k.Value] = k
		r.inspect(c, here)
	}
}

// explicitTag reports a tag. What begins with != is the comparison.
func (r *reader) explicitTag(n *yaml.Node, at *crumb) {
	message := "explicit tags such as " + quoteless(n.Tag) + " aren't allowed; remove it"
	if isComparison(n) {
		message = "a value can't begin with !=; put it in quotes"
	}
	r.problem(n, at.String(), message, "")
}

// isComparison says whether a tag was meant to be the text !=.
func isComparison(n *yaml.Node) bool {
	return n.Style&yaml.TaggedStyle != 0 && strings.HasPrefix(n.Tag, "!=")
}

// isTemplate says whether a mapping was meant to be the text {{ ... }}.
func isTemplate(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 && len(n.Content) == 2 &&
		n.Content[0].Kind == yaml.MappingNode && n.Content[0].Style&yaml.FlowStyle != 0
}

// hideSecrets keeps the values of secret keys out of every snippet.
func (r *reader) hideSecrets(n *yaml.Node, secret bool) {
	if n.Kind == yaml.ScalarNode && secret {
		r.file.hide(n)
	}
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			r.hideSecrets(c, secret)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		r.hideSecrets(n.Content[i+1], secret || isSecretKey(n.Content[i].Value))
	}
}

// version finds the version of a file; 0 if that is a mistake. A file that
// doesn't say is version 1 if it has monitors and no key of version 2.
func (b *builder) version(v value) int {
	has := map[string]*yaml.Node{}
	for _, e := range v.entries(0) {
		has[e.key.Value] = e.value
	}
	n, ok := has["version"]
	if !ok {
		return b.guessVersion(v, has)
	}
	c, _ := v.r.visit(n, "version")
	switch {
	case c.n.Kind == yaml.ScalarNode && (c.n.Value == "1" || c.n.Value == "2"):
		return int(c.n.Value[0] - '0')
	case c.n.Kind == yaml.ScalarNode && c.n.Tag != "!!null":
		likely := strings.TrimSuffix(strings.TrimPrefix(c.n.Value, "v"), ".0")
		if likely != "1" && likely != "2" {
			likely = ""
		}
		c.fail("unknown version "+quoteless(c.n.Value)+"; this hawkeye reads 1 and 2", likely)
	default:
		c.expected("1 or 2")
	}
	return 0
}

func (b *builder) guessVersion(v value, has map[string]*yaml.Node) int {
	for _, key := range []string{"receivers", "defaults", "slos", "heartbeats", "inhibit", "mute_times", "generation", "location"} {
		if has[key] != nil {
			v.fail("the version is missing; "+key+": is a key of version 2", "version: 2")
			return 0
		}
	}
	if has["monitors"] == nil {
		v.mapping("a file", append(b.globalFields(), field{"version", nothing}, field{"monitors", nothing}))
		if !v.r.broken["monitors"] {
			v.fail("version: and monitors: are missing", "")
		}
		return 0
	}
	return 1
}

// global reads one of the texts that belong to the whole Set; files may
// repeat it but not differ.
func (b *builder) global(name string, dst *string) field {
	return field{name, func(v value) {
		var s string
		text(&s)(v)
		here := Position{v.r.file.name, v.n.Line, v.n.Column}
		if old, ok := b.globals[name]; ok && *dst != s {
			v.fail(name+" is something else at "+old.String(), "")
			return
		}
		b.globals[name] = here
		*dst = s
	}}
}

// location reads the time zone of the whole Set; files may repeat it but not
// differ.
func (b *builder) location(v value) {
	var loc *time.Location
	location(&loc)(v)
	if loc == nil {
		return
	}
	if old, ok := b.globals["location"]; ok && b.set.Location.String() != loc.String() {
		v.fail("location is something else at "+old.String(), "")
		return
	}
	b.globals["location"] = Position{v.r.file.name, v.n.Line, v.n.Column}
	b.set.Location = loc
}

// nothing reads a key that is read elsewhere.
func nothing(value) {}
