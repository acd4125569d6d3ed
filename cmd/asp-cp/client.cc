#include "client.h"

#include <unistd.h>

#include <optional>

#include <fmt/core.h>

#include "control.h"
#include "digest.h"
#include "progress.h"
#include "protocol.h"
#include "receiver.h"
#include "remote.h"
#include "rendezvous.h"
#include "sender.h"
#include "session.h"
#include "target.h"
#include "transport.h"

namespace asp_cp {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The whole way to a UDP connection; the message is due within 15 s.
constexpr seconds kUdpPatience{10};
constexpr milliseconds kKnockEvery{100};
// Logging in may need a person at the keyboard.
constexpr seconds kLoginPatience{120};

// The server's `failed` ends everything, wherever it comes.
class Conversation : public Control {
 public:
  Conversation(const Remote& remote, std::string host) : Control(remote.input(), remote.output()), host_(std::move(host)) {}

 protected:
  void look_at(const Record& message) override {
    if (word_of(message) != "failed") return;
    const auto complaint = Complaint::parse(message);
    throw tool::Failure(complaint.code, host_ + ": " + complaint.reason);
  }

 private:
  std::string host_;
};

[[noreturn]] void no_udp(const Command& command) {
  throw tool::Failure(tool::unavailable, fmt::format("no UDP path to {}: check the firewall between",
                                                     HostPort{command.far.host, command.udp_port}.text()));
}

Fd find_path(Control& control, Knocker& knocker, const Answer& answer, const std::string& passphrase,
             Clock::time_point deadline, const Command& command) {
  while (Clock::now() < deadline) {
    knocker.knock(answer.session, passphrase);
    if (const auto message = control.receive(kKnockEvery)) return knocker.take(Reached::parse(*message).candidate);
  }
  no_udp(command);
}

Link connect(Control& control, const Command& command) {
  Open open;
  open.upload = command.upload;
  open.passphrase = random_hex(32);
  open.rate = command.rate;
  open.recursive = command.recursive;
  open.target = command.upload ? command.target : "";
  open.into_directory = command.upload && command.sources.size() > 1;
  control.send(open.record());
  Knocker knocker(resolved_host(command), command.udp_port);
  const auto first = control.receive(kLoginPatience);
  if (!first) throw tool::Failure(tool::unavailable, command.far.host + ": no answer over SSH");
  const Answer answer = Answer::parse(*first);

  const auto deadline = Clock::now() + kUdpPatience;
  Fd udp = find_path(control, knocker, answer, open.passphrase, deadline, command);
  const auto tick = [&control] {
    if (control.receive(milliseconds(0))) throw tool::Failure(tool::bad_input, "protocol: a message out of turn");
  };
  try {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    return Link::connect(std::move(udp), {open.passphrase, open.rate}, std::max<milliseconds>(left, seconds(3)), tick);
  } catch (const Gone&) {
    throw;
  } catch (const tool::Failure& failure) {
    if (failure.code() == tool::unavailable) no_udp(command);  // the way back is closed
    throw;
  }
}

void upload(Session& session, Progress& progress, const Command& command) {
  Sender sender(session, progress, command.recursive);
  for (const auto& source : command.sources) sender.send(source);
}

void download(Session& session, Progress& progress, const Command& command, const Target& target) {
  Receiver receiver(session, progress, target, command.recursive);
  for (const auto& source : command.sources) {
    receiver.expect(base_name(source));
    session.send(Want{source}.record());
    bool heard = false;
    for (Record message = session.next(); word_of(message) != "end"; message = session.next()) {
      receiver.take(message);
      heard = true;
    }
    if (!heard) throw tool::Failure(tool::bad_input, "protocol: nothing came for " + source);
  }
}

// Why the control channel closed under us, as far as ssh's exit status tells.
[[noreturn]] void explain_gone(Remote& remote, const std::string& host) {
  const int status = remote.end(seconds(2));
  if (status > 128 && status < 255) {
    throw tool::Failure(tool::unavailable, fmt::format("{}: ssh was killed (signal {})", host, status - 128));
  }
  switch (status) {
    case 255: throw tool::Failure(tool::unavailable, host + ": ssh failed, or its connection or the server's end was lost");
    case 127: throw tool::Failure(tool::unavailable, host + ": there is no asp-cp on the server");
    case tool::not_permitted: throw tool::Failure(tool::not_permitted, host + ": the server does not permit asp-cp");
    default: break;
  }
  throw tool::Failure(tool::unavailable, fmt::format("{}: the server's end stopped (exit status {})", host, status));
}

// When a channel breaks, the server may have said why: that is worth more, and
// thrown. Whether the control channel is gone.
bool hear_last_words(Control& control) {
  try {
    for (int messages = 0; messages < 16 && control.receive(seconds(1)); ++messages) {
    }
  } catch (const Gone&) {
    return true;
  }
  return false;
}

void converse(Control& control, Progress& progress, const Command& command, const std::optional<Target>& target) {
  Link link = connect(control, command);
  Session session(control, link);
  if (command.upload) upload(session, progress, command);
  else download(session, progress, command, *target);
  control.send(plain("bye"));
}

}  // namespace

int transfer(const Command& command) {
  const std::string& host = command.far.host;
  std::optional<Target> target;  // known to be there before anybody types a password
  if (!command.upload) target = Target::open(command.target, command.sources.size() > 1);
  Remote remote(command);
  Conversation control(remote, host);
  Progress progress(host, !command.quiet && ::isatty(STDERR_FILENO), command.verbose);
  control.attend(remote.messages(), [&] { return remote.show_messages([&] { progress.leave_line(); }); });
  try {
    converse(control, progress, command, target);
  } catch (const Gone&) {
    progress.leave_line();
    hear_last_words(control);
    explain_gone(remote, host);
  } catch (const tool::Failure& failure) {
    progress.leave_line();
    if (failure.code() == tool::unavailable && hear_last_words(control)) explain_gone(remote, host);
    throw;
  }
  remote.end(seconds(5));
  return progress.exit_code();
}

}  // namespace asp_cp
