#!/bin/bash
# sudo is stopped (SIGSTOP), where the site has it open a PAM session: before it starts the helpers of somebody's
# session, and while they run, beside which it stays. What others feel is in ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
. "$LAB_LIB/messages.sh"
dmz=$(lab_root dmz)
echo 'Defaults!ALL pam_session' > "$dmz/etc/sudoers.d/zzz-site"
chmod 440 "$dmz/etc/sudoers.d/zzz-site"
hung_begin
waits() { [ "$(of_one sudo | wc -l)" = 2 ] && [ "$(of_one wait-for-it | wc -l)" = 2 ]; }

tap_about='before it starts them: '
cat > "$dmz/etc/wait-for-it" << 'END'
#!/bin/sh
[ "$PAM_RUSER $PAM_TYPE" != 'bear open_session' ] || while [ -e /etc/hold ]; do sleep 0.1; done
END
chmod 755 "$dmz/etc/wait-for-it"
cp "$dmz/etc/pam.d/sudo" "$dmz/root/pam"
{ echo 'session optional pam_exec.so /etc/wait-for-it'; cat "$dmz/root/pam"; } > "$dmz/etc/pam.d/sudo"
: > "$dmz/etc/hold"
log_from
new_session one outside bear "$SQUASH"
ok '(sudo waits for PAM)' wait_until 10 waits
stopped=$(of_one sudo)
# shellcheck disable=SC2086  # a list of numbers
kill -STOP $stopped
rm "$dmz/etc/hold"
cp "$dmz/root/pam" "$dmz/etc/pam.d/sudo"
others_hardly_notice 8 "$INDIVIDUAL"
over one 71 30 'the session is given up'
is "$(cat "$TMPDIR/one.err")" "$unserved" 'its user is told'
one_error "asp-(upstream|pinhole), which sudo starts, has not answered within 26 s: .*user=bear .*\\(exit 71\\)"
# shellcheck disable=SC2086  # a list of numbers
kill -CONT $stopped
ok 'when it goes on, nothing is left' is_only_old 20

tap_about='while they run: '
log_from
proxy_session one outside bear "$SQUASH" cat
stopped=$(of_one sudo)
is "$(wc -w <<< "$stopped")" 2 '(it stays beside them)'
# shellcheck disable=SC2086  # a list of numbers
kill -STOP $stopped
others_hardly_notice 8 "$INDIVIDUAL"
ok 'its UDP passes' packet outside 5003 "$SQUASH" one
began=${EPOCHREALTIME/./}
proxy_end one
took=$(seconds_since "$began")
is "$proxy_status" 0 'the session ends well'
ok "in $took s, of 10" test "$took" -le 10
one_error 'sudo has not ended 6 s after asp-upstream; does PAM hang when it closes a session\? session=UUID'
# shellcheck disable=SC2086  # a list of numbers
kill -CONT $stopped
ok 'when it goes on, nothing is left' is_only_old 20
done_testing
