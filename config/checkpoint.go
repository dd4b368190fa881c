package config

import (
	"net/url"
	"strings"

	"mpp/secret"
)

// checkpointFault says what is wrong with where a checkpoint is, and in which key; nil when
// nothing is.
func (c *Checkpoint) fault() (path string, f *fault) {
	http := c.Kind == CheckpointHTTP
	switch sources := c.Account.sources(); {
	case len(sources) > 0 && c.Kind != CheckpointMySQL:
		return "account." + sources[0], faultf(`take it out, or write kind = "mysql"`, "kind %q needs no account", c.Kind)
	case len(sources) > 1:
		return "account." + sources[1], faultf("keep one of them", "%s are set together", strings.Join(sources, " and "))
	case http && c.URL == "":
		return "url", faultf(`write url = "http://..."`, `kind "http" needs a url`)
	case http && c.Address != "":
		return "address", faultf("take it out, or write another kind", `kind "http" has a url and no address`)
	case http:
		return "url", urlFault(c.URL)
	case c.URL != "":
		return "url", faultf(`take it out, or write kind = "http"`, `kind %q has an address and no url`, c.Kind)
	case len(c.ExpectStatus) > 0:
		return "expect_status", faultf(`take it out, or write kind = "http"`, `kind %q has no status to expect`, c.Kind)
	case c.Address == "":
		return "address", faultf("write the address of something outside the pool", "it has no address")
	}
	_, f = c.normal()
	return "address", f
}

// normal is the address in the one form of its kind.
func (c *Checkpoint) normal() (string, *fault) {
	switch c.Kind {
	case CheckpointICMP:
		if strings.Contains(c.Address, "@") {
			return "", faultf("write the host alone", "it holds a login")
		}
		if strings.Count(c.Address, ":") == 1 {
			return "", faultf("write the host alone", "%q: an echo request has no port", c.Address)
		}
		return normalHost(strings.Trim(c.Address, "[]"))
	case CheckpointMySQL:
		return normalAddress(c.Address, mysqlPort)
	default:
		return normalAddress(c.Address, 0)
	}
}

func urlFault(text string) *fault {
	const hint = `write a whole URL, such as "http://192.0.2.80/health"`
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return faultf(hint, "%q is not an http or https URL", hideUser(text))
	case u.User != nil:
		return faultf("use a page that needs no login", "the URL holds a login")
	}
	if _, f := normalHost(u.Hostname()); f != nil {
		return faultf(hint, "%s", f.text)
	}
	if port := u.Port(); port != "" {
		return portFault(port)
	}
	return nil
}

// hideUser cuts a login out of a URL that is not whole enough to be parsed.
func hideUser(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return secret.Hidden + text[at:]
	}
	return text
}

// ownName makes a name out of where the checkpoint is, for one that has none.
func (c *Checkpoint) ownName() string {
	text := c.Address
	if u, err := url.Parse(c.URL); c.URL != "" && err == nil {
		text = u.Host
	}
	text = strings.Map(func(r rune) rune {
		if r < 0x80 && (bare(byte(r)) || r == '.') {
			return r
		}
		return '-'
	}, text)
	text = strings.Trim(text, "-._")
	return text[:min(len(text), maxName)]
}
