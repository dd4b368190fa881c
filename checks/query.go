package checks

import "mpp"

// judgeQuery judges the statement that is to show that the server serves: any error is a
// failure, unless it is about this account.
func judgeQuery(r result) mpp.CheckResult {
	if r.err == nil {
		return mpp.CheckResult{Name: nameQuery, Class: mpp.Reach, Took: r.took}
	}
	return ofError(r.err).result(nameQuery, mpp.Reach, r.took)
}
