package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// errTooLarge: the collector takes no batch of this size.
var errTooLarge = errors.New("the collector finds the batch too large (413)")

// retryError is a failure that may be over at a later time.
type retryError struct {
	err   error
	after time.Duration // what the collector asks for, 0 nothing
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// maxReply is how much of a reply is read so that its connection can be used again.
const maxReply = 64 << 10

// post sends events, each with a comma behind it, as one array. Its error is a
// *retryError, errTooLarge or final. No error holds the token, nor what a reply said.
func (c *Collector) post(ctx context.Context, events []byte) error {
	if err := c.zip(events); err != nil {
		return err
	}
	body := newBody(c.zipped.Bytes())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, body)
	if err != nil {
		return err
	}
	req.ContentLength, req.GetBody = int64(c.zipped.Len()), body.again
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	if err := c.authorize(req); err != nil {
		return &retryError{err: err}
	}
	resp, err := c.client.Do(req)
	// A transport may read on after it has answered; what it reads from is used again.
	body.end()
	if err != nil {
		return &retryError{err: err}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxReply)
	_ = resp.Body.Close()
	return judge(resp)
}

func (c *Collector) authorize(req *http.Request) error {
	if c.cfg.Token == nil {
		return nil
	}
	token, err := c.cfg.Token()
	if err != nil {
		return fmt.Errorf("bearer token: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// judge says what a reply means for the batch. What an operator can put right without
// touching the batch, such as a token that is too old, is worth another try.
func judge(resp *http.Response) error {
	err := fmt.Errorf("the collector answered %d", resp.StatusCode)
	switch s := resp.StatusCode; {
	case s/100 == 2:
		return nil
	case s == http.StatusRequestEntityTooLarge:
		return errTooLarge
	case s == http.StatusBadRequest, s == http.StatusUnsupportedMediaType, s == http.StatusUnprocessableEntity:
		return err
	case s/100 == 3:
		err = fmt.Errorf("the collector answered %d; redirects are not followed", s)
	}
	return &retryError{err: err, after: retryAfter(resp.Header.Get("Retry-After"))}
}

// retryAfter reads a Retry-After header (RFC 9110 section 10.2.3).
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// zip makes the compressed array of events.
func (c *Collector) zip(events []byte) error {
	c.zipped.Reset()
	c.zipper.Reset(&c.zipped)
	for _, piece := range [][]byte{[]byte("["), events[:len(events)-1], []byte("]")} {
		if _, err := c.zipper.Write(piece); err != nil {
			return err
		}
	}
	return c.zipper.Close()
}
