#!/bin/bash
# Looks for mutants in the release programs. A mutant is a function that misbehaves once a rule is
# removed; tests/simulator/mutants defines it for the mutation build alone. A member function's name
# must stand in the symbol table of loglog-mutation-score, or it would not be seen in a product
# either. Other functions of those files may have been inlined.
#   tests/architecture/no_mutants.sh BUILD_DIR
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

complain() {
  echo "no mutants: $*" >&2
  bad=1
}

# Definitions begin in the first column: `Offset LogTerm::place_again(Offset at) {`.
cat "$root"/tests/simulator/mutants/*.cpp 2>/dev/null | grep -oP '^[A-Za-z_][^(=;#]*?\b\K\w+(::\w+)*(?=\()' | sort -u >"$work/names" || true
mapfile -t mutants <"$work/names"
if [ ${#mutants[@]} = 0 ]; then
  complain "tests/simulator/mutants defines no function, so there is no name to look for"
  exit 1
fi

symbols() { # program
  if ! nm -C "$build/bin/$1" >"$work/$1" 2>"$work/error"; then
    complain "nm cannot read $build/bin/$1: $(cat "$work/error")"
    : >"$work/$1"
  fi
}

# GCC marks the name of a function that returns a string: name[abi:cxx11](...).
holds() { # program mutant
  grep -qE -- "::$2(\[abi:\w+\])?\(" "$work/$1"
}

symbols loglog-mutation-score
for mutant in "${mutants[@]}"; do
  [[ $mutant != *::* ]] || holds loglog-mutation-score "$mutant" || complain "loglog-mutation-score does not hold $mutant()"
done
for program in loglog loglog-storage loglog-sequencer; do
  symbols "$program"
  grep -q ' T main$' "$work/$program" || complain "$program has no symbols: they have been stripped"
  for mutant in "${mutants[@]}"; do
    if holds "$program" "$mutant"; then complain "$program holds $mutant()"; fi
  done
done
[ $bad = 0 ] && echo "no mutants: none of ${#mutants[@]} in 3 programs"
exit $bad
