package tests

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestSelf(t *testing.T) {
	os.Remove("/tmp/goroutines.txt")
	g, _ := versityGateway(t)
	for i := range 12 {
		c := newConsole(t, tools[0], g, "none")
		c.write(".aws/config", []byte("[default]\ns3 =\n  multipart_threshold = 6MB\n  multipart_chunksize = 5MB\n"))
		c.env = append(c.env, "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true")
		c.writeFiles()
		c.run("--endpoint-url", c.place.endpoint, "s3", "mb", "s3://"+c.bucket)
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		cmd := exec.CommandContext(ctx, c.path, "--debug", "--endpoint-url", c.place.endpoint, "s3", "cp", "--no-progress", "--recursive", "tree", "s3://"+c.bucket+"/up")
		cmd.Dir, cmd.Env = c.dir, c.env
		f, _ := os.Create("/tmp/aws.log")
		cmd.Stdout, cmd.Stderr = f, f
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			t.Log(i, err)
		case <-time.After(10 * time.Second):
			dump, err := g.Get(t.Context(), "/debug/pprof/goroutine?debug=2")
			os.WriteFile("/tmp/goroutines.txt", dump, 0o600); d, _ := g.Decisions(); os.WriteFile("/tmp/decisions.json", d, 0o600)
			t.Log(i, "hangs", err)
			<-done
			cancel()
			return
		}
		cancel()
	}
}
