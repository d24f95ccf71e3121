#!/bin/sh
# May these addresses be mailed? Prints the answer where at least one may not.
#
#     POSTLEDGER_URL=https://… POSTLEDGER_TOKEN=plt_… sh check.sh SERVER STREAM ADDRESS…
#
# Exit status 0: each of them was answered, and may be mailed.  1: at least one may not.  2: they were not answered.

not_answered() {
  printf '%s\n' "$1" >&2
  exit 2
}

quoted() {
  printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"
}

[ $# -ge 3 ] || not_answered "say SERVER STREAM ADDRESS…"
[ -n "$POSTLEDGER_URL" ] && [ -n "$POSTLEDGER_TOKEN" ] || not_answered "POSTLEDGER_URL and POSTLEDGER_TOKEN are to be set"
server=$1 stream=$2
shift 2

addresses=
for address; do
  addresses=${addresses:+$addresses,}$(quoted "$address")
done

# The token goes in by standard input, since others may see a command's arguments. Nobody is followed elsewhere.
answer=$(
  printf 'header = "Authorization: Bearer %s"\n' "$POSTLEDGER_TOKEN" |
    curl --config - --silent --show-error --max-time 30 --retry 4 --write-out '\n%{http_code}' \
      --header "Content-Type: application/json" \
      --data-binary "{\"stream\":$(quoted "$stream"),\"addresses\":[$addresses]}" \
      "${POSTLEDGER_URL%/}/v1/servers/$server/check"
) || not_answered "${answer:-no answer}"
status=${answer##*
}
answer=${answer%
*}
[ "$status" = 200 ] || not_answered "${answer:-the answer was $status}"

# Quotes within a text have a backslash before them, so that no address can look like this.
case $answer in
  *'"results":['*'"stream_known":true'* | *'"stream_known":true'*'"results":['*) ;;
  *) not_answered "${answer:-no answer}" ;;
esac
counts=$(printf '%s' "$answer" |
  sed -n 's/.*"counts":{"do_not_send":\([0-9]*\),"invalid":\([0-9]*\),"risky":\([0-9]*\),"send":\([0-9]*\)}.*/\1 \2 \3 \4/p')
read -r do_not_send invalid risky send <<COUNTS
$counts
COUNTS
[ -n "$send" ] || not_answered "$answer"
[ $((do_not_send + invalid + risky + send)) -eq $# ] || not_answered "not all were answered: $answer"

[ $((do_not_send + invalid)) -eq 0 ] || {
  printf '%s\n' "$answer"
  exit 1
}
