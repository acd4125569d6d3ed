#!/bin/bash
# known_hosts: asp-dial and OpenSSH's own client, asked about the same servers with
# the same files, must agree; and where they do not, it is on purpose.
. "${0%/*}/../lib/alone.sh"
. t/lib/sshd.sh

dial=$PWD/${BUILD:-build}/bin/asp-dial
tmp=$(mktemp -d) || exit
shopt -s lastpipe  # "line ... | asked" counts in this shell
servers=()
cleanup() {
  kill "${servers[@]}" 2> /dev/null
  wait
  rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# --- two servers: at ports 22 and 2222, and, with host certificates, at 2223 ----------

mkdir -m 755 /run/sshd || exit
ip address add 192.0.2.10/32 dev lo && ip address add 2001:db8::10/128 dev lo nodad || exit
own_etc hosts < <(cat /etc/hosts; echo '192.0.2.10 Inside1.example.com')
for each in id ed25519 other ca; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$tmp/$each"; done
ssh-keygen -q -t rsa -b 3072 -N '' -C '' -f "$tmp/rsa"
ssh-keygen -q -t ecdsa -b 256 -N '' -C '' -f "$tmp/ecdsa"
ssh-keygen -q -t ecdsa -b 256 -N '' -C '' -f "$tmp/other_ecdsa"
ssh-keygen -q -t ecdsa -b 521 -N '' -C '' -f "$tmp/ecdsa521"
ssh-keygen -q -s "$tmp/ca" -h -I inside1 -n 192.0.2.10 "$tmp/ed25519.pub"
cp "$tmp/id.pub" "$tmp/authorized_keys"

listens() { (exec 3<> "/dev/tcp/192.0.2.10/$1") 2> /dev/null; }
serve() {  # name: the rest of its configuration on stdin; waits for the port
  {
    cat << END
AuthorizedKeysFile $tmp/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PrintMotd no
MaxStartups 100
KexAlgorithms curve25519-sha256
ForceCommand echo reached
END
    sshd_without_penalties
    cat
  } > "$tmp/$1.conf"
  /usr/sbin/sshd -D -E "$tmp/$1.log" -f "$tmp/$1.conf" &
  servers+=($!)
  for _ in $(seq 100); do
    listens "$2" && return
    sleep 0.05
  done
  echo "Bail out! sshd does not start: $(cat "$tmp/$1.log")"
  exit 1
}
serve plain 2222 << END
Port 22
Port 2222
HostKey $tmp/rsa
HostKey $tmp/ecdsa
HostKey $tmp/ed25519
END
serve certified 2223 << END
Port 2223
HostKey $tmp/ed25519
HostCertificate $tmp/ed25519-cert.pub
END

# --- asking ---------------------------------------------------------------------------

by_ssh() {  # address port: yes or no
  local out
  out=$(timeout 20 ssh -F none -o UserKnownHostsFile="$tmp/known_hosts" -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes \
    -o UpdateHostKeys=no -o BatchMode=yes -o IdentitiesOnly=yes -i "$tmp/id" -p "$2" "root@$1" true 2> "$tmp/ssh.err" < /dev/null)
  [ "$out" = reached ] && echo yes && return
  grep -q 'Host key verification failed' "$tmp/ssh.err" && echo no && return
  echo "failed: $(cat "$tmp/ssh.err")"
}
by_dial() {
  local out code host=$1
  [[ $host != *:* ]] || host="[$host]"
  out=$(timeout 20 "$dial" -i "$tmp/id" -k "$tmp/known_hosts" -l root "$host:$2" -- true 2> "$tmp/dial.err" < /dev/null)
  code=$?
  [ "$out/$code" = reached/0 ] && echo yes && return
  [ "$code" -eq 76 ] && echo no && return
  echo "failed: $code $(cat "$tmp/dial.err")"
}
# asked EXPECTED NAME [ADDRESS [PORT]]: the file on stdin; KEY stands for the server's
# ed25519 key, and so on. EXPECTED: yes, no, or "SSH DIAL" where the two differ.
asked() {
  local address=${3-192.0.2.10} port=${4-22} ssh dialled
  expand > "$tmp/known_hosts"
  by_dial "$address" "$port" > "$tmp/dialled" &
  ssh=$(by_ssh "$address" "$port")
  wait $!
  dialled=$(cat "$tmp/dialled")
  case $1 in
    *' '*) is "$ssh $dialled" "$1" "$2 (ssh $ssh, asp-dial $dialled)" ;;
    *) is "$ssh $dialled" "$1 $1" "$2: $1" ;;
  esac
}
expand() {
  local each script=
  for each in ed25519:ED rsa:RSA ecdsa:EC other:OTHER other_ecdsa:OTHER_EC ecdsa521:EC521 ca:CA; do
    script+="s|\\b${each#*:}_KEY\\b|$(cut -d ' ' -f 1,2 "$tmp/${each%:*}.pub")|g;s|\\b${each#*:}_BLOB\\b|$(cut -d ' ' -f 2 "$tmp/${each%:*}.pub")|g;"
  done
  sed "$script"
}
hashed() {  # lines on stdin, with hashed names
  expand > "$tmp/hashed"
  ssh-keygen -q -H -f "$tmp/hashed" > /dev/null 2>&1
  cat "$tmp/hashed"
}
line() { printf '%s\n' "$@"; }

# --- names ----------------------------------------------------------------------------

line '192.0.2.10 ED_KEY' | asked yes 'its address'
line '192.0.2.11 ED_KEY' | asked no 'another address'
line '' '# 192.0.2.10 ED_KEY' | asked no 'a comment'
line $' \t192.0.2.10\t ED_KEY\t a comment' | asked yes 'blanks around words'
line $'192.0.2.10 ED_KEY\r' | asked yes 'CR LF'
printf '192.0.2.10 ED_KEY' | asked yes 'no newline at the end'
line 'a,192.0.2.10,b ED_KEY' | asked yes 'one of several names'
line '192.0.2.* ED_KEY' | asked yes 'a star'
line '192.0.2.1? ED_KEY' | asked yes 'a question mark'
line '*,!192.0.2.10 ED_KEY' | asked no 'all but this one'
line '!192.0.2.11,192.0.2.* ED_KEY' | asked yes 'all but another'
line '!192.0.2.11 ED_KEY' | asked no 'a negation alone names nobody'
line 'INSIDE1.Example.COM ED_KEY' | asked yes 'a name, in any case' inside1.example.com
line '*.example.com,!inside1.* ED_KEY' | asked no 'a name that is taken out' inside1.example.com
line '192.0.2.10 ED_KEY' | asked no 'a name is not its address' inside1.example.com
line '2001:db8::10 ED_KEY' | asked yes 'IPv6' 2001:db8::10
line '192.0.2.10 ED_KEY' | hashed | asked yes 'a hashed name'
line '192.0.2.11 ED_KEY' | hashed | asked no 'another hashed name'
line 'inside1.example.com ED_KEY' | hashed | asked yes 'a hashed name of letters' inside1.example.com

# --- ports ----------------------------------------------------------------------------

line '[192.0.2.10]:2222 ED_KEY' | asked yes '[host]:port' 192.0.2.10 2222
line '[192.0.2.10]:2222 ED_KEY' | asked no 'is not for port 22'
line '[192.0.2.10]:2223 ED_KEY' | asked no 'nor for another' 192.0.2.10 2222
line '[192.0.2.10]:22 ED_KEY' | asked no 'port 22 is not written'
line '[192.0.2.10]:* ED_KEY' | asked yes 'any port' 192.0.2.10 2222
line '[192.0.2.10]:2222 ED_KEY' | hashed | asked yes '[host]:port, hashed' 192.0.2.10 2222
line '[2001:db8::10]:2222 ED_KEY' | asked yes '[host]:port of IPv6' 2001:db8::10 2222
line '[192.0.2.10]:2222 OTHER_KEY' '192.0.2.10 ED_KEY' | asked no 'the port has another key' 192.0.2.10 2222
line '192.0.2.10 ED_KEY' | asked 'yes no' 'a name without port is for port 22 alone' 192.0.2.10 2222

# --- key types ------------------------------------------------------------------------

for type in ED RSA EC; do line "192.0.2.10 ${type}_KEY" | asked yes "only $type is enrolled"; done
line '192.0.2.10 EC521_KEY' | asked no 'a type that the server has not'
line '192.0.2.10 RSA_KEY' '192.0.2.10 EC_KEY' | asked yes 'two types'
line '192.0.2.10 RSA_KEY' '192.0.2.10 EC_KEY' '192.0.2.10 ED_KEY' | asked yes 'three types'
line '192.0.2.10 OTHER_KEY' | asked no 'another key'
line '192.0.2.10 OTHER_KEY' '192.0.2.10 ED_KEY' | asked yes 'an old key and the new one'
line '192.0.2.10 OTHER_KEY' '192.0.2.10 RSA_KEY' | asked no 'the best type that is enrolled has changed'
line '192.0.2.10 OTHER_EC_KEY' '192.0.2.10 RSA_KEY' | asked no 'so has the second best'

# --- @revoked -------------------------------------------------------------------------

line '192.0.2.10 ED_KEY' '@revoked 192.0.2.10 ED_KEY' | asked no '@revoked behind it'
like "$(cat "$tmp/dial.err")" "^asp-dial: verify host key of 192.0.2.10: the key is revoked in $tmp/known_hosts \(the server has ssh-ed25519 SHA256:.*\)$" 'asp-dial says so'
line '@revoked * ED_KEY' '192.0.2.10 ED_KEY' | asked no '@revoked for all, before it'
line '@revoked *.example.com ED_KEY' '192.0.2.10 ED_KEY' | asked yes '@revoked for others'
line '@revoked 192.0.2.10 OTHER_KEY' '192.0.2.10 ED_KEY' | asked yes '@revoked of another key'
line '@revoked 192.0.2.10 ED_KEY' '192.0.2.10 RSA_KEY' | asked yes 'one type revoked, another enrolled'
line '192.0.2.10 ED_KEY' '192.0.2.10 RSA_KEY' '@revoked * ED_KEY' | asked yes 'both enrolled, the better one revoked'
{
  line '192.0.2.10 ED_KEY'
  line '@revoked 192.0.2.10 ED_KEY' | hashed
} | asked no '@revoked, hashed'
line '@revoked [192.0.2.10]:2222 ED_KEY' '[192.0.2.10]:2222 ED_KEY' | asked no '@revoked for a port' 192.0.2.10 2222
line '192.0.2.10 ED_KEY' '192.0.2.10 OTHER_KEY' '192.0.2.10 EC_KEY' '@revoked * OTHER_KEY' | asked yes 'of two keys of a type the old one revoked'
line '192.0.2.10 ED_KEY' $'@revoked\t192.0.2.10 ED_KEY' | asked 'yes no' '@revoked and a tab'
line '192.0.2.10 ED_KEY' '@revoked 192.0.2.10 ssh-rsa ED_BLOB' | asked 'yes no' '@revoked, its type mistaken'

# --- @cert-authority --------------------------------------------------------------------

line '@cert-authority * CA_KEY' | asked no 'only an authority, a server without certificate'
line '@cert-authority * ED_KEY' | asked no 'the key of the authority is not a host key'
line '@cert-authority * CA_KEY' '192.0.2.10 ED_KEY' | asked yes 'an authority and the key'
line '@cert-authority * CA_KEY' '[192.0.2.10]:2223 ED_KEY' | asked 'yes yes' 'a server with a certificate, its key enrolled' 192.0.2.10 2223
line '@cert-authority * CA_KEY' | asked 'yes no' 'only an authority, a server with its certificate' 192.0.2.10 2223
like "$(cat "$tmp/dial.err")" "^asp-dial: verify host key of \[192.0.2.10\]:2223: $tmp/known_hosts has only a @cert-authority for it, and host certificates are not supported; enrol the key itself \(the server has ssh-ed25519 SHA256:.*\)$" \
  'asp-dial says why'

# --- lines that say nothing ----------------------------------------------------------------

for bad in '192.0.2.10' '192.0.2.10 ssh-ed25519' '192.0.2.10 ssh-ed25519 AAAA' '192.0.2.10 ssh-rsa ED_BLOB' '192.0.2.10 ssh-ed25519 RSA_BLOB' '192.0.2.10 ssh-ed25519 !ED_BLOB' \
  '192.0.2.10 1024 65537 12345' '@bogus 192.0.2.10 ED_KEY' '@revoked @revoked 192.0.2.10 ED_KEY' '@cert-authority' '|1|AAAA|AAAA ED_KEY' '192.0.2.10 , ED_KEY'; do
  line "$bad" | asked no "'$bad' alone"
done
like "$(cat "$tmp/dial.err")" 'not in .*; 1 of its lines cannot be read, the first is 1 ' 'asp-dial says that there is such a line'
line 'what is this' '@bogus * ED_KEY' '192.0.2.10 ED_KEY' | asked yes 'the others count'
line "$(printf '%20000s' x | tr ' ' a) ED_KEY" '192.0.2.10 ED_KEY' | asked yes 'behind a line of 20 KB, too'
{
  line '192.0.2.10 ED_KEY'
  head -c 1048576 /dev/zero | tr '\0' '\n'
} | asked 'yes no' 'a file of more than 1 MiB'
like "$(cat "$tmp/dial.err")" 'more than 1048576 bytes' 'asp-dial says so'
done_testing
