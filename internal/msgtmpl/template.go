// Package msgtmpl is the templates of messages. They come from files that
// people edit, and text/template can't be cancelled, so a template's parse
// tree is walked when it is loaded, and only what is known to end is allowed:
// text, field chains, if, with, range over given data, and listed functions.
package msgtmpl

// Template is a checked template. It is immutable and safe for concurrent
// use; Render is what it is for.
type Template struct {
	text string
}

// String returns the template's source.
func (t *Template) String() string {
	if t == nil {
		return ""
	}
	return t.text
}
