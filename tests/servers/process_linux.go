package servers

import "syscall"

// childAttributes gives a child its own process group, and has the kernel end
// it should the test program die without stopping it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
