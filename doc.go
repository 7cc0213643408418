// Package hawkeye is an alerting library: import it into a service, and it
// records metrics, evaluates monitors and notifies people through the
// service's own mailing service.
//
//	h, err := hawkeye.New(
//		hawkeye.WithService("checkout", "prod"),
//		hawkeye.WithConfigFile("monitors.yaml"),
//		hawkeye.WithMailer(myMailingService),
//	)
//	if err != nil { ... }
//	if err := h.Start(ctx); err != nil { ... }
//	defer h.Shutdown(ctx)
//
//	http.ListenAndServe(":8080", h.Middleware(mux))
//
// # The handle
//
// [New] returns a handle, [Hawkeye]. It validates everything and starts
// nothing. [Hawkeye.Start] starts three parts as goroutines of this process:
//
//   - the metric server takes samples from other processes on a Unix socket;
//   - the agent evaluates monitors;
//   - the notifier sends messages.
//
// The parts meet only in a [Store]: memory by default, with a state file if
// state must survive a restart, or Redis (package store/redisstore) for a
// fleet of replicas. [Hawkeye.Shutdown] stops the parts in the order of the
// data, so that what was recorded last is still evaluated and sent. Several
// handles in one process are independent of each other.
//
// # From a sample to a message
//
// A sample is one recorded value: a request that [Hawkeye.Middleware] counted,
// a call of [Hawkeye.Incr] or of a handle such as [Counter], or a line on the
// socket. It adds to the cell of its series (a name and tags) in memory; the
// hot path has no lock, no allocation and no I/O.
//
// At the end of each tick (200 ms in memory, 1 s over Redis) the process
// publishes what it counted as one bucket, once, and never edits it. So a
// retry, a duplicate or a delay changes no total. A tick in which a bucket is
// missing is partial, and values over it are incomplete: they may fire an
// alert where more data could only confirm the breach, but never end one.
//
// A monitor computes a value over a window of ticks, which slides with each
// evaluation: a sum, a rate, a percentile, a ratio. Its triggers compare the
// value with thresholds; each is a level of the alert, such as warning or
// critical. A monitor has one alert, or with `by` one for each combination of
// tag values. An alert is inactive, pending (in breach for less than `for`),
// firing, or recovering (clear for less than `keep_firing_for`); nodata or
// error where no value can be had. One firing, from start to end, is an
// incident; all messages about it carry its id.
//
// The agent commits the alert's new state and the notifications for its
// receivers to the ledger, a set of records in the Store, all or nothing. The
// notifier claims a notification there, renders it, and hands it to the
// [MailingService]. Repeats, escalation, grouping, silences ([Hawkeye.Silence])
// and acknowledgements ([Hawkeye.Ack]) are decided from the ledger, too, so any
// replica can do each step and each decision is still made once.
//
// # Delivery
//
// A message is delivered at least once, or kept as a dead letter with the
// reason. It is sent again only if the outcome of the first attempt is unknown,
// and then has the same Message-ID. A receiver that was notified that an alert
// fires is notified when it ends (version-1 files excepted).
//
// # Time
//
// Decisions use the Store's time, which is measured at each flush and never
// steps back. In a fleet one replica evaluates while it renews its lease;
// others take over when they have seen the lease unchanged for its length, on
// their own monotonic clocks. No wall clock that jumps breaks either.
//
// # Failure
//
// The host comes first: hawkeye never crashes it, never blocks its requests,
// and uses bounded memory. Data beyond a bound is dropped, counted and shown in
// [Hawkeye.Stats]. If the Store is away, samples wait in memory, and in a fleet
// each replica evaluates its own counters after [WithBlindAfter].
// [Hawkeye.Health] reports each problem with a code; docs/health.md says what to
// do about it.
//
// README.md has a complete program; docs/ describes the monitors' file, the
// socket's protocol, fleets and faults, and docs/glossary.md the terms.
package hawkeye
