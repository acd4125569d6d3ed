#include "server.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "arguments.h"
#include "base/env.h"
#include "base/logging.h"
#include "base/rooted.h"
#include "channels.h"
#include "check.h"
#include "control.h"
#include "digest.h"
#include "protocol.h"
#include "receiver.h"
#include "rendezvous.h"
#include "sender.h"
#include "target.h"
#include "transport.h"

namespace asp_cp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kFirstMessageTime{30};
// Longer than any client waits, since the client explains the failure to a person.
constexpr seconds kHelloPatience{20};

Record await(Control& control, seconds patience) {
  auto message = control.receive(patience);
  if (!message) throw tool::Failure(tool::temporary, "the client says nothing");
  return *message;
}

// The port in ASP_CP_UDP_PORT, which sshd_config's SetEnv can give.
Port listening_port() {
  const auto given = env::get("ASP_CP_UDP_PORT");
  if (!given) return kUdpPort;
  const auto port = parse_port(*given);
  if (!port) throw tool::Failure(tool::config, "ASP_CP_UDP_PORT is not a port");
  return *port;
}

Peer meet(Control& control, const Open& open, const std::string& session) {
  const Port port = listening_port();
  // The client sends nothing meanwhile; reading tells when it is gone.
  const auto silence = [&control] {
    if (control.receive(milliseconds(0))) throw tool::Failure(tool::bad_input, "protocol: a message out of turn");
  };
  Meeting meeting(port, session, open.passphrase);
  control.send(Answer{session, port}.record());
  Peer peer = meeting.wait(kHelloPatience, silence);
  control.send(Reached{peer.candidate}.record());
  logging::event("{} of {}: UDP from {} to port {}",
                 open.check    ? "check"
                 : open.upload ? "upload"
                               : "download",
                 session, peer.from, port);
  return peer;
}

// The client's end may be connected before this one, and sends then.
Link link(Control& control, const Open& open) {
  Peer peer = meet(control, open, random_hex(16));
  return Link::accept(std::move(peer.udp), {open.passphrase, open.rate}, kAcceptPatience,
                      [&control] { control.watch(); });
}

void receive_upload(Session& session, const Open& open, const Target& target) {
  Observer nobody;
  Receiver receiver(session, nobody, target, open.recursive);
  for (;;) {
    const Record message = session.next();
    if (word_of(message) == "bye") return check_plain(message);
    receiver.take(message);
  }
}

void send_download(Session& session, const Open& open, const Rooted* root) {
  Observer nobody;
  Sender sender(session, nobody, open.recursive, root);
  for (;;) {
    const Record message = session.next();
    if (word_of(message) == "bye") return check_plain(message);
    if (word_of(message) != "want") throw tool::Failure(tool::bad_input, "protocol: 'want' was due");
    const Want want = Want::parse(message);
    try {
      base_name(want.path);
    } catch (const tool::Failure&) {
      throw tool::Failure(tool::bad_input, "protocol: a path that names no file");
    }
    sender.send(want.path);
    session.send(plain("end"));
  }
}

void check(Permission permission, const std::string& what) {
  if (permission == Permission::deny)
    throw tool::Failure(tool::not_permitted, what + " are not permitted on this server");
  if (permission == Permission::token)
    throw tool::Failure(tool::not_permitted, what + " need a token on this server, and asp-cp has none");
}

// It is for those who may transfer in some direction.
void converse_check(Control& control, const Command& command, const Open& open) {
  if (command.uploads != Permission::allow && command.downloads != Permission::allow) {
    check(command.uploads, "uploads");
  }
  const std::string session = random_hex(16);
  serve_check(control, meet(control, open, session), open, session);
}

void converse(Control& control, const Command& command) {
  const Open open = Open::parse(await(control, kFirstMessageTime));
  if (open.check) return converse_check(control, command, open);
  if (open.upload) check(command.uploads, "uploads");
  else check(command.downloads, "downloads");
  std::optional<Rooted> root;
  if (!command.docroot.empty()) root.emplace(fd::open(command.docroot, O_PATH | O_DIRECTORY));
  const Rooted* const files = root ? &*root : nullptr;
  std::optional<Target> target;
  if (open.upload) target = Target::open(open.target, open.into_directory, files);
  Link way = link(control, open);
  Session session(control, way);
  if (open.upload) receive_upload(session, open, *target);
  else send_download(session, open, files);
}

}  // namespace

int serve(const Command& command) {
  Control control(STDIN_FILENO, STDOUT_FILENO);
  try {
    converse(control, command);
    return tool::yes;
  } catch (const Gone&) {
    logging::event("the client went away");
    return tool::unavailable;
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::told(failure.what()));
    try {
      control.send(Complaint{failure.code(), failure.what()}.record("failed"));
    } catch (const Gone&) {
    }
    return failure.code();
  }
}

}  // namespace asp_cp
