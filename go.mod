module mpp

go 1.26

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/go-sql-driver/mysql v1.10.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
