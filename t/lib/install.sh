# install.sh: INSTALL as its readers follow it: on bare hosts that systemd(1) has booted, each command of a chapter in the
# order of the text. Sourced after lab.sh and tap.sh.
#
#   install_up HOST...       lab_up: dmz (proxy) and inside1 (server) bare and booted, with the package in /root;
#                            outside, outer, which is server.example.com, and inner
#   chapter NAME             each of its commands is a test
#   expect["COMMAND"]=N      the status that it ends with, if that is another one than 0; N|M
#   before["COMMAND"]=FUNCTION   called first: what a reader has done meanwhile
#   install_package          the package is made, and installed on dmz
#   install_bare HOST        as its distribution leaves it, with an administrator, ops
#   sound HOST               a test: the doctor finds nothing there
#
# Names and addresses of INSTALL are those of the lab. SHA256:... and 3F:A0:... stand for what a reader has seen.
export LAB_SUITE=no
LAB_BOOTED='dmz inside1'
declare -A expect=() before=() profile=()

install_up() {
  local built=$LAB_SOURCE/$LAB_BUILD host file
  [ "${LAB_BUILD#/}" = "$LAB_BUILD" ] || built=$LAB_BUILD
  lab_up dmz outside inside1 inner outer "$@"
  dmz=$(lab_root dmz)
  inside1=$(lab_root inside1)
  mkdir "$dmz/root/clone"
  (cd "$LAB_SOURCE" && cp -a Makefile INSTALL LICENSE CHANGELOG.md cmd lib man etc sudoers.d t "$dmz/root/clone/")
  install_make="DPKG_DEB_COMPRESSOR_LEVEL=0 MAKEFLAGS='BUILD=$built DEB_DIR=build PREFIX=$LAB_PREFIX'"
  for host in outside inner outer; do
    LAB_SUITE=yes lab_install_programs "$(lab_root "$host")" asp-cp asp-forward
    echo "$OUTER server.example.com" >> "$(lab_root "$host")/etc/hosts"
  done
  LAB_SUITE=yes lab_install_programs "$inside1" asp-cp
  lab_add_user outer "$(lab_root outer)" bear /bin/bash
  cp "$LAB_DIR/keys/client-bear.pub" "$(lab_root outer)/home/bear/.ssh/authorized_keys"
  lab_own "$(lab_root outer)" bear
  for host in outside inner; do
    file=$(lab_root "$host")/home/bear
    head -c 300000 /dev/urandom > "$file/report.pdf"
    sed "s/.*/server.example.com $(cut -d ' ' -f 1,2 "$LAB_DIR/keys/host-outer.pub" | sed 's|/|\\/|g')/;q" "$file/.ssh/known_hosts" >> "$file/.ssh/known_hosts"
    echo "[$SQUASH]:443 $(cut -d ' ' -f 1,2 "$LAB_DIR/keys/host-dmz.pub")" >> "$file/.ssh/known_hosts"
  done
  for host in dmz inside1; do install_bare "$host"; done
  echo "$OUTER server.example.com" >> "$dmz/etc/hosts"
  for file in bear bobcat; do cp "$LAB_DIR/keys/client-$file.pub" "$dmz/root/$file.pub"; done
}
install_package() {
  status 0 '(the package is made)' on dmz bash -c "cd clone; export $install_make; make -s deb"
  hand_over
  status 0 '(and installed)' on dmz sh -c 'apt install ./sallyport_*.deb'
}
install_bare() {
  local root user
  root=$(lab_root "$1")
  for user in $LAB_PEOPLE xfer; do on "$1" userdel -rf "$user" 2> /dev/null; done
  on "$1" groupdel sallyport 2> /dev/null
  for user in sallyport-dial sallyport-node; do on "$1" userdel "$user" 2> /dev/null; done
  rm -rf "${root:?}${LAB_PREFIX%/*}" "$root/etc/ssh/authorized_keys" "$root/etc/ssh/sshd_config.d/"{sallyport,proxy}.conf "$root/usr/sbin/policy-rc.d"
  sed -i '/^Match/,/^Match all/d; /^Port /d' "$root/etc/ssh/sshd_config"
  lab_add_user "$1" "$root" ops /bin/bash -G sudo -K UID_MIN=2500
  cp "$LAB_DIR/keys/client-bobcat.pub" "$root/home/ops/.ssh/authorized_keys"
  lab_own "$root" ops
  on "$1" sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.netfilter.nf_conntrack_acct=0
  on "$1" systemctl restart ssh
}

# hand_over: what people send to each other.
hand_over() {
  cp "$dmz/root/clone/build/"sallyport_*.deb "$dmz/root/" 2> /dev/null
  cp "$dmz/root/"sallyport_*.deb "$inside1/root/" 2> /dev/null
  cp "$dmz$LAB_PREFIX/etc/ssh_keys/id_ed25519.pub" "$inside1/root/proxy.pub" 2> /dev/null
  cp "$dmz/home/bobcat/.ssh/id_ed25519.pub" "$inside1/root/bobcat-inside.pub" 2> /dev/null
  return 0
}
# seen TEXT: with what the reader has seen in the place of ...
seen() {
  local text=$1 print
  text=${text//SHA256:.../$(ssh-keygen -lf "$LAB_DIR/keys/host-inside1.pub" | cut -d ' ' -f 2)}
  if [[ $text = *3F:A0:...* ]]; then
    print=$(on dmz openssl x509 -noout -fingerprint -sha256 -in "$LAB_PREFIX/etc/aspera_server_cert.pem" | cut -d = -f 2)
    text=${text//3F:A0:.../$print}
  fi
  echo "$text"
}
# typed WHO COMMAND NOTE DIALOGUE: sets $code, $out and $err.
typed() {
  local who=() shell
  case $1 in
    proxy) who=(dmz) ;;
    server) who=(inside1) ;;
    outside) who=(outside -u bear) ;;
    inside) who=(inner -u bear) ;;
    build) who=(dmz) profile[build]="cd /root/clone; export $install_make" ;;
  esac
  shell=(bash -c "${profile[$1]-}
$(seen "$2")")
  case $3 in
    'paste the line'*) capture on "${who[@]}" timeout 120 "${shell[@]}" <<< "$line" ;;
    'Ctrl-C ends it') capture on "${who[@]}" timeout -s INT 3 "${shell[@]}" < /dev/null ;;
    *)
      if [ -n "$4" ]; then capture on "${who[@]}" python3 "$LAB_LIB/dialogue.py" "$4" "${shell[@]}"
      else capture on "${who[@]}" timeout 300 "${shell[@]}" < /dev/null; fi
      ;;
  esac
  if grep -q '^from=' <<< "$out"; then line=$(grep '^from=' <<< "$out" | tr -d '\r'); fi
}
chapter() {
  local who command note dialogue short wanted failed
  profile=()
  while IFS= read -r -d '' who && IFS= read -r -d '' command && IFS= read -r -d '' note && IFS= read -r -d '' dialogue; do
    case $command in
      'export '* | 'cd '*) profile[$who]+="$command"$'\n' ;;
    esac
    [ -z "${before[$command]-}" ] || "${before[$command]}" < /dev/null
    hand_over
    typed "$who" "$command" "$note" "$dialogue" < /dev/null
    short="$1: $who: ${command%%$'\n'*}"
    wanted=${expect[$command]-0}
    failed=$tap_failed
    case $note in
      'is refused') nok "$short is refused" test "$code" = 0 ;;
      'Ctrl-C ends it') like "$code" '^(0|124)$' "$short" ;;
      *) like "$code" "^($wanted)$" "$short" ;;
    esac
    [ "$tap_failed" = "$failed" ] || diag "$out" "$err"
  done < <(python3 "$LAB_LIB/commands.py" "$1" < "$LAB_SOURCE/INSTALL")
}
# The lab's clock may be any.
sound() {
  is "$(on "$1" "$LAB_PREFIX/bin/asperaproxy" check | grep -vE '^ok |^warn +clock:')" '' "the doctor finds nothing on $1"
}
