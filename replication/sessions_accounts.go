package replication

import (
	"fmt"
	"strings"
)

// Account is a name with the hosts it may come from.
type Account struct {
	User, Host string
}

// ParseAccount reads "user@host"; without a host it is any host. Quotes around either are allowed.
func ParseAccount(s string) (Account, error) {
	user, host := s, "%"
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		user, host = s[:i], s[i+1:]
	}
	a := Account{accountPart(user), accountPart(host)}
	switch {
	case a.User == "":
		return a, fmt.Errorf("parse account %q: want user@host, such as app@%%", s)
	case len(a.User) > 128 || len(a.Host) > 255:
		return a, fmt.Errorf("parse account %q: it is too long", s)
	default:
		return a, nil
	}
}

// accountPart strips the quotes of one half of an account.
func accountPart(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == s[len(s)-1] && strings.ContainsRune("'`\"", rune(s[0])) {
		return s[1 : len(s)-1]
	}
	return s
}

// String is the account as people write it.
func (a Account) String() string { return a.User + "@" + a.Host }

// LockSQL keeps an account from logging in, or lets it again. Sessions that it has go on.
func (a Account) LockSQL(lock bool) string {
	word := "UNLOCK"
	if lock {
		word = "LOCK"
	}
	return fmt.Sprintf("ALTER USER %s@%s ACCOUNT %s", quote(a.User), quote(a.Host), word)
}

// BinlogSQL lets the session's changes go into the binary log, or not, so that replicas do not get
// them.
func BinlogSQL(on bool) string {
	if on {
		return "SET SESSION sql_log_bin = 1"
	}
	return "SET SESSION sql_log_bin = 0"
}
