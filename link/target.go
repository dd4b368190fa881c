package link

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// Target is whom to log in to, and as whom.
type Target struct {
	// Address is the server, "host:port".
	Address string
	// User and Password are the account's.
	User     string
	Password string
	// TLS says how the connection is encrypted.
	TLS TLS
	// Many lets one text hold several statements.
	Many bool
}

// quiet keeps the driver from logging: everything it has to say comes back as an error.
type quiet struct{}

func (quiet) Print(...any) {}

// maxPacket is the longest statement that a server can be set to take: 1 GiB.
const maxPacket = 1 << 30

// Connector makes the driver's connector. Its connections take their limits from the contexts of
// the calls alone, and check before their first use after ResetSession that the server has not
// closed them.
func (t Target) Connector() (driver.Connector, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd = t.User, t.Password
	cfg.Net, cfg.Addr = "tcp", t.Address
	cfg.Logger = quiet{}
	cfg.MaxAllowedPacket = maxPacket
	cfg.CheckConnLiveness = true
	cfg.MultiStatements = t.Many
	cfg.ConnectionAttributes = "program_name:mpp"
	var err error
	if cfg.TLS, err = t.TLS.Config(t.Address); err != nil {
		return nil, err
	}
	if cfg.TLS != nil && (t.TLS.Mode == TLSPreferred || t.TLS.Mode == "") {
		cfg.AllowFallbackToPlaintext = true
		// To fall back, the driver changes the configuration it was given; with this it
		// changes a copy, and tries TLS again next time.
		keep := func(context.Context, *mysql.Config) error { return nil }
		if err := cfg.Apply(mysql.BeforeConnect(keep)); err != nil {
			return nil, fmt.Errorf("configure connection: %w", err)
		}
	}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure connection: %w", err)
	}
	return c, nil
}
