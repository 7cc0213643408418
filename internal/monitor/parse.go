package monitor

// Options are what a file can't say.
type Options struct {
	// LookupEnv finds the value of a variable; default os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Kinds are the kinds of receivers that were registered beyond email.
	Kinds []string
	// Receivers and Monitors are from code and are checked with the files.
	Receivers []Receiver
	Monitors  []Monitor
}

// Source is one file.
type Source struct {
	Name string
	Data []byte
}
