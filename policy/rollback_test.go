package policy

import (
	"errors"
	"testing"
	"time"
)

// TestRollback: what was rolled back from stays away until it changes.
func TestRollback(t *testing.T) {
	t.Parallel()
	g := newGated(t, nil)
	if err := g.engine.Rollback(t.Context()); !errors.Is(err, ErrNoPrevious) {
		t.Errorf("got %v", err)
	}
	first := g.engine.Current().Revision()
	g.shelf.put(freeze("held/"), testTime)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	if s := g.engine.Status(); s.Previous != first || s.RolledBack {
		t.Errorf("got %+v", s)
	}
	if err := g.engine.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.frozen("frozen/")
	if s := g.engine.Status(); s.Revision != first || s.Previous != "" || !s.RolledBack || s.Err != "" {
		t.Errorf("got %+v", s)
	}
	g.poll(false)
	// A posture that changes is put into force with the rules rolled back to.
	g.writePosture(onlyKMS)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	g.frozen("frozen/")
	if got := g.mode("a"); got != KMS {
		t.Errorf("got %s", got)
	}
	g.poll(false)
	// What the source has next is taken.
	g.shelf.put(freeze("third/"), testTime)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	g.frozen("third/")
	if s := g.engine.Status(); s.RolledBack {
		t.Errorf("got %+v", s)
	}
	// And what was rolled back from once may come back.
	g.shelf.put(freeze("held/"), testTime)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	g.frozen("held/")
}

// TestRollbackOfPosture: only what differs is refused.
func TestRollbackOfPosture(t *testing.T) {
	t.Parallel()
	g := newGated(t, nil)
	g.writePosture(onlyKMS)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	if err := g.engine.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.mode("a"); got != SSES3 {
		t.Errorf("got %s", got)
	}
	g.poll(false)
	g.shelf.put(freeze("held/"), testTime)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	if got := g.mode("a"); got != SSES3 {
		t.Errorf("got %s: the posture came back with the rules", got)
	}
	g.frozen("held/")
	// By hand it comes back.
	if err := g.engine.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.mode("a"); got != KMS || g.engine.Status().RolledBack {
		t.Errorf("got %s, %+v", got, g.engine.Status())
	}
}

// TestActivate: another site is put into force through the gate, and the source's own
// stays away until it changes.
func TestActivate(t *testing.T) {
	t.Parallel()
	g := newGated(t, nil)
	candidate := Site{Files: filesOf([]byte(freeze("held/"))), Origin: "candidate", Fetched: testTime}
	built, err := g.engine.Build(t.Context(), candidate)
	if err != nil {
		t.Fatal(err)
	}
	g.frozen("frozen/")
	g.shut = map[string]error{StepReplay: errors.New("no")}
	if err := g.engine.Activate(t.Context(), candidate); err == nil || g.engine.Status().Step != StepReplay {
		t.Errorf("got %v, %+v", err, g.engine.Status())
	}
	g.frozen("frozen/")
	g.shut = nil
	if err := g.engine.Activate(t.Context(), candidate); err != nil {
		t.Fatal(err)
	}
	if s := g.engine.Status(); s.Revision != built.Revision() || s.Source.Origin != "candidate" || !s.RolledBack || s.Err != "" {
		t.Errorf("got %+v", s)
	}
	g.frozen("held/")
	g.poll(false)
	if err := g.engine.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.frozen("frozen/")
	g.poll(false)
	g.shelf.put(freeze("third/"), testTime)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	g.frozen("third/")
	bad := Site{Files: []File{{Name: "data.json", Data: []byte("{}")}}}
	if err := g.engine.Activate(t.Context(), bad); err == nil {
		t.Error("a site with data was put into force")
	}
	g.frozen("third/")
}

// TestStale: after too long without hearing of the source, requests are refused as the
// options say, and no others.
func TestStale(t *testing.T) {
	t.Parallel()
	for action, want := range map[StaleAction][2]bool{ // write, read
		"":              {false, true},
		StaleDenyWrites: {false, true},
		StaleDeny:       {false, false},
		StaleServe:      {true, true},
	} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			g := newGated(t, func(o *Options) { o.MaxStaleness, o.Stale = time.Hour, action })
			check := func(stale bool) {
				t.Helper()
				if s := g.engine.Status().Source; s.Stale != stale || s.Limit != time.Hour {
					t.Errorf("got %+v, want stale %v", s, stale)
				}
				for i, in := range []*Input{put("data", "a"), get("data", "a")} {
					d, err := g.engine.Current().Decide(t.Context(), in)
					if ok := !stale || want[i]; ok != (err == nil && d.Allow) || !ok && faultID(t, err) != FaultStale {
						t.Errorf("stale %v: %s: got %+v, %v", stale, in.Request.Operation, d, err)
					}
					if d, err := g.engine.Current().Replay(t.Context(), in, Trial{}); err != nil || !d.Allow {
						t.Errorf("a replay is stale: %+v, %v", d, err)
					}
				}
			}
			check(false)
			g.clock.pass(time.Hour)
			check(false)
			g.clock.pass(time.Second)
			check(true)
			// A source that fails confirms nothing.
			g.shelf.fail(failedAt(StepDownload, errors.New("gone")), g.clock.now())
			if err := g.poll(true); err == nil {
				t.Error("the failure is not told")
			}
			check(true)
			if s := g.engine.Status(); s.Err != "download: gone" || s.Step != StepDownload || s.Failures[StepDownload] != 1 {
				t.Errorf("got %+v", s)
			}
			g.poll(false)
			// The same again, seen now.
			g.shelf.put(freeze("frozen/"), g.clock.now())
			if err := g.poll(true); err != nil {
				t.Error(err)
			}
			check(false)
			// Something newer that does not pass does not confirm what is in force.
			g.shut = map[string]error{StepTests: errors.New("no")}
			g.shelf.put(freeze("held/"), g.clock.pass(2*time.Hour))
			if err := g.poll(true); err == nil {
				t.Error("the gate is open")
			}
			check(true)
			// Rolled back from, it does: somebody has decided.
			g.shut = nil
			if err := g.engine.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(false)
			if err := g.engine.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.shelf.put(freeze("held/"), g.clock.pass(2*time.Hour))
			g.poll(false)
			check(false)
		})
	}
}

// TestObserve: every decision in force is told, whatever came of it, and no other.
func TestObserve(t *testing.T) {
	t.Parallel()
	var got []string
	g := newGated(t, func(o *Options) {
		o.Observe = func(in *Input, d Decision, err error) {
			switch {
			case err != nil:
				got = append(got, faultID(t, err))
			case d.Allow:
				got = append(got, in.Resource.Key)
			default:
				got = append(got, "denied")
			}
		}
	})
	g.mode("a")
	g.mode("frozen/a")
	g.engine.Current().Decide(t.Context(), &Input{Request: Request{Class: "nonsense"}})
	g.engine.Current().Replay(t.Context(), put("data", "b"), Trial{})
	g.engine.Current().Anew().Decide(t.Context(), put("data", "b"))
	if want := "[a denied EVL-004]"; len(got) != 3 || got[0] != "a" || got[1] != "denied" || got[2] != FaultDecision {
		t.Errorf("got %q, want %s", got, want)
	}
}
