package gateway

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
)

// Records of uploads go when their upload is completed or aborted through a
// gateway. Those of uploads that end otherwise, by a lifecycle rule or past the
// gateway, are swept.

const (
	defaultSweep = time.Hour
	// sweepAge is how old a record is before the store is asked for its upload.
	sweepAge = 7 * 24 * time.Hour
	// sweepPause is between two questions to the store.
	sweepPause = 200 * time.Millisecond
	// sweepAnswer bounds the time for the store to answer one.
	sweepAnswer = 30 * time.Second
	// sweepLock bounds the time to find out whether another gateway sweeps,
	// where storage cannot say so at once.
	sweepLock = 5 * time.Second
)

// sweeper sweeps the records of the stores of one configuration, again and again.
// Of the gateways that share a storage, one does so at a time.
type sweeper struct {
	every  time.Duration
	stores func() []sweptStore
	logger *zap.Logger
	end    context.CancelFunc
	done   sync.WaitGroup
}

// newSweeper is the sweeper of an app, nil where nothing is sealed.
func (a *App) newSweeper(logger *zap.Logger) (*sweeper, error) {
	every := time.Duration(a.SweepUploads)
	switch {
	case every < 0:
		return nil, fmt.Errorf("sweep_uploads %v is negative", every)
	case every == 0:
		every = defaultSweep
	}
	if a.keyrings == nil {
		return nil, nil
	}
	return &sweeper{every: every, stores: a.gateways.swept, logger: logger}, nil
}

// sweptStore is a store with the records of its uploads.
type sweptStore struct {
	uploads *uploads
	// open asks the store whether it has an upload. An error is no answer.
	open func(ctx context.Context, bucket, key, id string) (bool, error)
}

// start begins to sweep: first within the interval, at a time of its own so that
// gateways which were started together do not come together.
func (s *sweeper) start() {
	if s == nil {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.done.Go(func() {
		for wait := upTo(s.every); pause(ctx, wait); wait = s.every - s.every/20 + upTo(s.every/10) {
			for _, store := range s.stores() {
				s.sweep(ctx, store)
			}
		}
	})
}

// upTo is any time up to d: gateways must not go in step, and no more than that.
func upTo(d time.Duration) time.Duration { return rand.N(d + 1) } //nolint:gosec // see above

// stop ends a sweep that is under way and waits for that.
func (s *sweeper) stop() {
	if s == nil || s.end == nil {
		return
	}
	s.end()
	s.done.Wait()
}

// pause waits; false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// sweep goes through the records of one store, if no other gateway does.
func (s *sweeper) sweep(ctx context.Context, store sweptStore) {
	unlock, err := lockSweep(ctx, store.uploads)
	if err != nil || unlock == nil {
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("records of uploads are not swept", zap.Error(err))
		}
		return
	}
	defer unlock()
	asked, dropped, err := store.sweep(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.logger.Warn("sweeping records of uploads", zap.Int("asked", asked), zap.Int("dropped", dropped), zap.Error(err))
	case dropped > 0:
		s.logger.Info("swept records of uploads that the store no longer has", zap.Int("asked", asked), zap.Int("dropped", dropped))
	}
}

// lockSweep takes the lock of a store's records; unlock is nil where another
// gateway has it.
func lockSweep(ctx context.Context, u *uploads) (unlock func(), err error) {
	name := u.prefix + ".sweep"
	if try, ok := u.storage.(certmagic.TryLocker); ok {
		if got, err := try.TryLock(ctx, name); err != nil || !got {
			return nil, err
		}
	} else {
		ctx, cancel := context.WithTimeout(ctx, sweepLock)
		defer cancel()
		if err := u.storage.Lock(ctx, name); err != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, nil
			}
			return nil, err
		}
	}
	return func() { _ = u.storage.Unlock(context.WithoutCancel(ctx), name) }, nil
}

// sweep drops the records whose uploads the store no longer has. One that cannot
// be read, or for which there is no answer, stays; the last error is returned.
func (s sweptStore) sweep(ctx context.Context) (asked, dropped int, err error) {
	names, err := s.uploads.storage.List(ctx, s.uploads.prefix, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	err = nil
	for _, name := range names {
		old, failed := s.old(ctx, name)
		if failed != nil {
			err = failed
		}
		if !old {
			continue
		}
		if asked > 0 && !pause(ctx, sweepPause) {
			return asked, dropped, ctx.Err()
		}
		asked++
		gone, failed := s.drop(ctx, name)
		if failed != nil {
			err = failed
		}
		if gone {
			dropped++
		}
	}
	return asked, dropped, err
}

// old reports whether name is that of a record which has been there for long.
func (s sweptStore) old(ctx context.Context, name string) (bool, error) {
	if !uploadName.MatchString(path.Base(name)) {
		return false, nil
	}
	info, err := s.uploads.storage.Stat(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return !info.Modified.IsZero() && time.Since(info.Modified) >= sweepAge, nil
}

// drop drops a record if the store no longer has its upload.
func (s sweptStore) drop(ctx context.Context, name string) (bool, error) {
	bucket, err := url.PathUnescape(path.Base(path.Dir(name)))
	if err != nil || path.Join(s.uploads.prefix, segment(bucket)) != path.Dir(name) {
		return false, fmt.Errorf("%s is in no bucket", name)
	}
	found, err := s.uploads.load(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, sweepAnswer)
	defer cancel()
	open, err := s.open(ctx, bucket, found.Key, found.ID)
	if err != nil || open {
		return false, err
	}
	return true, s.uploads.Delete(ctx, bucket, found.ID)
}

// maxSweepReply bounds what is read of a reply to a question, in bytes.
const maxSweepReply = 64 << 10

// inquiry asks a store about uploads, in the gateway's own name.
type inquiry struct{ store *upstream.Client }

// open asks by ListParts whether the store has an upload. Only an answer that
// says so in S3's words means that it has not.
func (q inquiry) open(ctx context.Context, bucket, key, id string) (bool, error) {
	resp, err := q.store.Do(ctx, upstream.Call{
		Method: http.MethodGet, Bucket: bucket, Key: key, PayloadHash: sigv4.EmptySHA256,
		Query: s3.Query{{Name: "max-parts", Value: "1", HasValue: true}, {Name: "uploadId", Value: id, HasValue: true}},
	})
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxSweepReply))
	switch {
	case err != nil:
		return false, err
	case resp.StatusCode == http.StatusOK:
		return true, nil
	}
	var said struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	err = xml.Unmarshal(doc, &said)
	if err == nil && resp.StatusCode == http.StatusNotFound && (said.Code == "NoSuchUpload" || said.Code == "NoSuchBucket") {
		return false, nil
	}
	return false, fmt.Errorf("asking for an upload in bucket %q: status %d, code %.64q", bucket, resp.StatusCode, said.Code)
}

// swept are the stores whose records this configuration can sweep: once each,
// though several handlers may be in front of one. Where calls are signed in the
// clients' names, there is nobody to ask in.
func (g *registry) swept() []sweptStore {
	var stores []sweptStore
	seen := make(map[string]bool)
	for _, h := range g.joined() {
		if h.uploads == nil || h.settings.source == credentialsClient || seen[h.uploads.prefix] {
			continue
		}
		seen[h.uploads.prefix] = true
		stores = append(stores, sweptStore{h.uploads, inquiry{h.store}.open})
	}
	return stores
}
