package replication

import "fmt"

// PassingPrivileges are those with which an account writes on a server that is read_only; none on
// MySQL, where super_read_only binds every account.
func (d *Dialect) PassingPrivileges() []string {
	switch {
	case d.Flavour != MariaDB:
		return nil
	case d.major == 10 && d.minor < 11:
		return []string{"READ_ONLY ADMIN", "SUPER"}
	default:
		return []string{"READ_ONLY ADMIN"}
	}
}

// GrantsOfSQL lists the grants of an account. Its rows are as secret as those of GrantsSQL.
func (a Account) GrantsOfSQL() string {
	return fmt.Sprintf("SHOW GRANTS FOR %s@%s", quote(a.User), quote(a.Host))
}

// RevokeSQL takes a privilege on everything from an account, GrantBackSQL gives it.
func (a Account) RevokeSQL(privilege string) string {
	return fmt.Sprintf("REVOKE %s ON *.* FROM %s@%s", privilege, quote(a.User), quote(a.Host))
}

// GrantBackSQL is the reverse of RevokeSQL.
func (a Account) GrantBackSQL(privilege string) string {
	return fmt.Sprintf("GRANT %s ON *.* TO %s@%s", privilege, quote(a.User), quote(a.Host))
}

// RevokedTableSQL makes the table that remembers, on the server itself, what was taken from whom.
func RevokedTableSQL() []string {
	return []string{
		"CREATE DATABASE IF NOT EXISTS mpp",
		"CREATE TABLE IF NOT EXISTS mpp.revoked (user VARCHAR(128) NOT NULL, host VARCHAR(255) NOT NULL," +
			" privilege VARCHAR(64) NOT NULL, revoked_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (user, host, privilege)) CHARACTER SET utf8mb4",
	}
}

// RememberRevokedSQL notes that a privilege was taken from an account, ForgetRevokedSQL that it has
// it again.
func (a Account) RememberRevokedSQL(privilege string) string {
	return fmt.Sprintf("REPLACE INTO mpp.revoked (user, host, privilege) VALUES (%s, %s, %s)", quote(a.User), quote(a.Host), quote(privilege))
}

// ForgetRevokedSQL is the reverse of RememberRevokedSQL.
func (a Account) ForgetRevokedSQL(privilege string) string {
	return fmt.Sprintf("DELETE FROM mpp.revoked WHERE user = %s AND host = %s AND privilege = %s", quote(a.User), quote(a.Host), quote(privilege))
}

// RevokedSQL counts the notes of a privilege that was taken from an account.
func (a Account) RevokedSQL(privilege string) string {
	return fmt.Sprintf("SELECT COUNT(*) FROM mpp.revoked WHERE user = %s AND host = %s AND privilege = %s", quote(a.User), quote(a.Host), quote(privilege))
}
