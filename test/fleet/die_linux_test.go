package fleet

import "syscall"

// dieWithParent ends a child, also one that is stopped, when the test is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
