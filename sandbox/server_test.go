package sandbox_test

import (
	"context"
	"os"
	"testing"
	"time"

	"mpp/sandbox"
)

func TestTry(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for _, f := range []sandbox.Flavour{sandbox.MySQL97} {
		b, err := sandbox.Find(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			t0 := time.Now()
			s, err := sandbox.StartPool(ctx, sandbox.PoolOptions{Base: b, Log: os.Stderr, Size: i%2*2+1})
			if err != nil {
				t.Fatal(err)
			}
			t.Log("pool up", time.Since(t0))
			t0 = time.Now()
			if i>1 {
			s.Servers[0].Root().SetMaxIdleConns(0)
		}
			s.Servers[0].Root().SetMaxIdleConns(-1)
			if err := s.Servers[0].Stop(ctx); err != nil {
				t.Error(err)
			}
			t.Log("stopped", time.Since(t0))
			t.Log(s.Servers[0].ErrorLogTail())
			t0 = time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			t.Log("closed", time.Since(t0))
		}
	}
}
