package gtid

// Order is how one set stands to another.
type Order string

// The orders.
const (
	// Same: both have the same transactions.
	Same Order = "same"
	// Ahead: the first contains the second and has more.
	Ahead Order = "ahead"
	// Behind: the second contains the first and has more.
	Behind Order = "behind"
	// Diverged: each has what the other does not have. It is no tie: whichever of the two is
	// chosen, something of the other is lost.
	Diverged Order = "diverged"
)

// Compare says how a stands to b. It is a partial order: a is Ahead of b exactly if b is Behind
// a, no set is Ahead of itself, and who is Ahead of b is Ahead of all that b is Ahead of.
// Diverged is no equivalence: a set may have diverged from two others of which one is ahead of
// the other. So it must not be used as a tie in a sort; Rank is for that.
//
// On MariaDB, Ahead is what the numbers say, see Set.
func Compare(a, b Set) Order {
	more, less := a.Contains(b), b.Contains(a)
	switch {
	case more && less:
		return Same
	case more:
		return Ahead
	case less:
		return Behind
	default:
		return Diverged
	}
}

// Ranking is an order by completeness.
type Ranking struct {
	// Places has, for each set, how many of the others are Ahead of it; 0 is the most complete.
	Places []int
	// Diverged are the pairs of sets that have diverged, as indices, the smaller one first.
	Diverged [][2]int
}

// Rank orders sets by completeness. Places is fit to sort by, whatever else is sorted by after
// it: a set that is Ahead of another always has the lower place, since all that are ahead of it
// are ahead of the other too, and it is itself one more; sets that are the Same share a place.
//
// If nothing has Diverged, sets share a place only if they are the Same, and a set at place 0
// contains all others. If some have, there may be several at place 0, and what none of them
// contains alone is lost unless it is fetched from the others: take Minus from their Union.
func Rank(sets []Set) Ranking {
	r := Ranking{Places: make([]int, len(sets))}
	for i := range sets {
		for j := i + 1; j < len(sets); j++ {
			switch Compare(sets[i], sets[j]) {
			case Ahead:
				r.Places[j]++
			case Behind:
				r.Places[i]++
			case Same: // they share a place
			case Diverged:
				r.Diverged = append(r.Diverged, [2]int{i, j})
			}
		}
	}
	return r
}
