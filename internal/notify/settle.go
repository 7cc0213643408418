package notify

import "time"

// Result is how an attempt went.
type Result struct {
	Kind  ResultKind
	Error string
	// Failed, with Delivered, are recipients that were left out.
	Failed []RecipientFailure
}

// ResultKind is how an attempt went.
type ResultKind uint8

// How an attempt can go.
const (
	Delivered ResultKind = iota
	Temporary            // known not to be delivered: try again
	Permanent            // never will be
	Unknown              // may have been delivered: too late, answer lost
)

// RecipientFailure is one recipient whom a delivered message didn't reach.
type RecipientFailure struct {
	Address   string
	Permanent bool
	Error     string
}

// Retry is when to try again. Zero fields have the defaults.
type Retry struct {
	First  time.Duration // the longest first pause; default 1 s
	Young  time.Duration // the longest pause in the first five minutes; default 5 s
	Middle time.Duration // in the first hour; default 1 min
	Old    time.Duration // after that; default 5 min
	Expire time.Duration // when it is given up; default 24 h
	Claim  time.Duration // how long a claim stands; default 1 min
}
