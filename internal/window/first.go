package window

import "math"

// Never is the [Value.First] of a group without samples.
const Never = int64(math.MaxInt64)
