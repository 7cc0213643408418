// Package statsd reads the line grammar of statsd as DogStatsD 1.0 to 1.6
// writes it, and records what it reads.
//
//	name:value[:value...]|type[|@rate][|#tag,tag...][|T<unix>][|c:...][|e:...][|card:...]
//
// The fields after the type stand in any order, and one that is unknown is
// ignored. The grammar is that of
// https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/, with the
// decisions of the DataDog agent's own parser where that page is silent.
package statsd

// Type is the metric type that a line names.
type Type uint8

// The types, with the text that stands for them on the wire.
const (
	Counter      Type = iota + 1 // c
	Gauge                        // g
	Histogram                    // h
	Timing                       // ms, in milliseconds
	Distribution                 // d
	Set                          // s
)

// Sample is one line, read. Its slices point into the line, and its Values
// are overwritten by the next Parse into the same Sample, so that a Sample
// that is used again allocates nothing.
type Sample struct {
	// Name is the text before the first colon, as it was sent.
	Name []byte
	// Type says which of Values and Member is filled.
	Type Type
	// Values are the line's numbers, all finite, at least one. A Set has none.
	Values []Value
	// Member is what a Set counts: everything between the name and the type,
	// colons included.
	Member []byte
	// Rate is the share of events that were sent, in (0, 1]; 1 if the line
	// names none.
	Rate float64
	// Tags is the text after '#', unsorted and possibly empty; nil if the
	// line has no such field. The last such field counts.
	Tags []byte
	// Timestamp is the time that the line claims, in Unix seconds; 0 if it
	// claims none. A closed second stays closed, so that it is read and
	// checked, and the sample counts on arrival.
	Timestamp int64
}

// Value is one number of a line.
type Value struct {
	// V is finite.
	V float64
	// Signed says that the number began with '+' or '-', which makes it a
	// change and not a value to those who write gauges as Etsy's statsd does.
	Signed bool
}

// Reason says why a line was not counted. The zero Reason is no reason: the
// line was fine. A Reason is an error, and small, so that it can be counted
// by and costs nothing to return.
type Reason uint8

// The reasons.
const (
	ok              Reason = iota
	NoName                 // ":1|c"
	NoValue                // "x:|c", "x|c"
	BadValue               // "x:abc|c"
	NotFinite              // "x:NaN|c", "x:1e400|c", or so after scaling by the rate
	NoType                 // "x:1", "x:1|"
	BadType                // "x:1|unknown"
	BadRate                // "x:1|c|@abc", "x:1|c|@0", "x:1|c|@2"
	BadTimestamp           // "x:1|c|Tabc", "x:1|c|T0"
	TooLong                // the line is longer than its reader allows
	InfluxTags             // "x,tag=value:1|c"
	GraphiteTags           // "x;tag=value:1|c"
	SignalFxTags           // "x[tag=value]:1|c"
	LibratoTags            // "x#tag=value:1|c"
	PrometheusTags         // "x{tag=value}:1|c"
	Event                  // "_e{...": an event: understood and left alone
	ServiceCheck           // "_sc|...": a service check: understood and left alone
	numberOfReasons        // not a reason
)

// NumReasons is one more than the highest Reason, for arrays that count by it.
const NumReasons = int(numberOfReasons)

var reasonTexts = [NumReasons]string{
	ok:           "ok",
	NoName:       "the name is missing",
	NoValue:      "the value is missing",
	BadValue:     "the value is not a number",
	NotFinite:    "the value is not finite",
	NoType:       "the type is missing",
	BadType:      "the type is none of c, g, h, ms, d, s",
	BadRate:      "the sample rate is not in (0, 1]",
	BadTimestamp: "the timestamp is not a positive number of seconds",
	TooLong:      "the line is too long",

	InfluxTags:     "the name holds tags as InfluxDB's statsd has them; write x:1|c|#tag:value",
	GraphiteTags:   "the name holds tags as Graphite has them; write x:1|c|#tag:value",
	SignalFxTags:   "the name holds tags as SignalFx has them; write x:1|c|#tag:value",
	LibratoTags:    "the name holds tags as Librato has them; write x:1|c|#tag:value",
	PrometheusTags: "the name holds labels as Prometheus has them; write x:1|c|#tag:value",

	Event:        "events are not supported",
	ServiceCheck: "service checks are not supported",
}

// reasonKeys are the reasons as words, for the names of counts.
var reasonKeys = [NumReasons]string{
	ok:           "ok",
	NoName:       "no_name",
	NoValue:      "no_value",
	BadValue:     "bad_value",
	NotFinite:    "not_finite",
	NoType:       "no_type",
	BadType:      "bad_type",
	BadRate:      "bad_rate",
	BadTimestamp: "bad_timestamp",
	TooLong:      "too_long",

	InfluxTags:     "tags_influxdb",
	GraphiteTags:   "tags_graphite",
	SignalFxTags:   "tags_signalfx",
	LibratoTags:    "tags_librato",
	PrometheusTags: "labels_prometheus",

	Event:        "event",
	ServiceCheck: "service_check",
}

// Error says in half a sentence what is wrong.
func (r Reason) Error() string {
	if r >= numberOfReasons {
		return "unknown reason"
	}
	return reasonTexts[r]
}

// Key is the reason as one word, such as "bad_value", for the name of a count.
func (r Reason) Key() string {
	if r >= numberOfReasons {
		return "unknown"
	}
	return reasonKeys[r]
}

// Ignored reports whether the line was well-meant and is only of a kind that
// hawkeye has no use for: an event or a service check. Its sender is not told
// of an error.
func (r Reason) Ignored() bool { return r == Event || r == ServiceCheck }
