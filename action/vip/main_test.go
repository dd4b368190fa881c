package vip

import (
	"os"
	"testing"

	"mpp/action/remotetest"
)

func TestMain(m *testing.M) { os.Exit(remotetest.Main(m)) }
