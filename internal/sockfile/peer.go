package sockfile

import "errors"

// ErrNoCredentials says that this system, or this kind of connection, does
// not tell who is at the other end. The rights of the file are all that
// guards the socket then.
var ErrNoCredentials = errors.New("peer credentials are not available")
