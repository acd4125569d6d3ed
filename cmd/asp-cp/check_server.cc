#include "burst.h"
#include "channels.h"
#include "check.h"
#include "probe.h"
#include "transport.h"

namespace asp_cp {
void serve_check(Control& control, Peer peer, const Open& open, const std::string& session) {
  control.send(probe::answer(peer.udp.get(), {session, open.passphrase}, control).record());
  Link link =
      Link::accept(std::move(peer.udp), {open.passphrase, open.rate}, kAcceptPatience, [&] { control.watch(); });
  Session talk(control, link);
  talk.send(burst::receive(talk).got.record());
  burst::send(talk);
  const Record message = talk.next();
  if (word_of(message) != "bye") throw tool::Failure(tool::bad_input, "protocol: 'bye' was due");
  check_plain(message);
}

}  // namespace asp_cp
