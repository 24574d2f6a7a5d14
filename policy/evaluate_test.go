package policy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestSecondTries(t *testing.T) {
	t.Parallel()
	overrun := faultf(FaultTimeout, "too long: %w", context.DeadlineExceeded)
	broken := faultf(FaultBuiltin, "broken")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name  string
		ctx   context.Context
		room  int
		tries []error // what each try ends in; nil is an answer
		given []time.Duration
		want  error
	}{
		{"answered at once", context.Background(), 1, []error{nil}, []time.Duration{1}, nil},
		{"answered the second time", context.Background(), 1, []error{overrun, nil}, []time.Duration{1, patience}, nil},
		{"endless", context.Background(), 1, []error{overrun, overrun}, []time.Duration{1, patience}, context.DeadlineExceeded},
		{"another fault is final", context.Background(), 1, []error{broken}, []time.Duration{1}, broken},
		{"no room to try again", context.Background(), 0, []error{overrun}, []time.Duration{1}, context.DeadlineExceeded},
		{"the caller is gone", gone, 1, []error{overrun}, []time.Duration{1}, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tries := make(secondTries, tt.room)
			var given []time.Duration
			value, err := tries.answer(tt.ctx, 1, func(timeout time.Duration) (ast.Value, error) {
				given = append(given, timeout)
				if err := tt.tries[len(given)-1]; err != nil {
					return nil, err
				}
				return ast.Boolean(true), nil
			})
			if !errors.Is(err, tt.want) || (err == nil) != (value != nil) {
				t.Errorf("answer = %v, %v; want error %v", value, err, tt.want)
			}
			if !slices.Equal(given, tt.given) {
				t.Errorf("tried with %v, want %v", given, tt.given)
			}
			if len(tries) != 0 {
				t.Error("the place to try again was not given back")
			}
		})
	}
}
