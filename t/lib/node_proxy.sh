# node_proxy.sh: proxies of the forward kind for asp-forward to call: node_server.py on loopback, with and without TLS.
# Sourced after alone.sh, in a folder of the test's own; $top is the source tree.
#
#   certificate NAME    NAME.crt and NAME.key, for 127.0.0.1
#   fingerprint NAME    of that certificate, as asp-forward takes it
#   proxy NAME SSH_HOST SSH_PORT [CERTIFICATE]   one whose files are in NAME; $proxy_pid
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=proxy \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$1.key" -out "$1.crt" 2> /dev/null
}
fingerprint() { openssl x509 -noout -fingerprint -sha256 -in "$1.crt" | cut -d= -f2; }
proxy() {
  mkdir "$1"
  python3 "$top/t/lib/node_server.py" "$PWD/$1" "$2" "$3" ${4:+"$4.crt" "$4.key"} 2> "$1/err" &
  proxy_pid=$!
  wait_until 10 test -e "$1/port" || { cat "$1/err"; echo 'Bail out! no proxy'; exit 1; }
}
