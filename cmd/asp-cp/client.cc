#include "client.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/logging.h"
#include "channels.h"
#include "control.h"
#include "conversation.h"
#include "digest.h"
#include "progress.h"
#include "protocol.h"
#include "receiver.h"
#include "remote.h"
#include "rendezvous.h"
#include "sender.h"
#include "target.h"
#include "transport.h"

namespace asp_cp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A failure that would be the same at every attempt.
class Final : public tool::Failure {
 public:
  using tool::Failure::Failure;
};

[[noreturn]] void no_udp(const Command& command) {
  throw tool::Failure(tool::unavailable, fmt::format("no UDP path to {}: check the firewall between",
                                                     HostPort{command.far.host, command.udp_port}.text()));
}

Fd find_path(Control& control, Knocker& knocker, const Answer& answer, const std::string& passphrase,
             const Deadline& deadline, const Command& command) {
  while (!deadline.over()) {
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
  Knocker knocker(destination_of(command).host, command.udp_port);
  const auto first = control.receive(kLoginPatience);
  if (!first) throw tool::Failure(tool::unavailable, command.far.host + ": no answer over SSH");
  const Answer answer = Answer::parse(*first);

  const auto deadline = Deadline::in(kUdpPatience);
  Fd udp = find_path(control, knocker, answer, open.passphrase, deadline, command);
  const auto tick = [&control] {
    if (control.receive(milliseconds(0))) throw tool::Failure(tool::bad_input, "protocol: a message out of turn");
  };
  try {
    const auto left = std::max<milliseconds>(deadline.left(), seconds(3));
    return Link::connect(std::move(udp), {open.passphrase, open.rate}, left, tick);
  } catch (const Gone&) {
    throw;
  } catch (const tool::Failure& failure) {
    if (failure.code() == tool::unavailable) no_udp(command);  // the packets towards us are blocked
    throw;
  }
}

void upload(Session& session, Progress& progress, const Command& command, Brought& brought) {
  Sender sender(session, progress, command.recursive);
  for (std::size_t i = 0; i < command.sources.size(); ++i) {
    brought.begin_source(i);
    sender.send(command.sources[i]);
  }
}

void download(Session& session, Progress& progress, const Command& command, const Target& target, Brought& brought) {
  Receiver receiver(session, progress, target, command.recursive);
  for (std::size_t i = 0; i < command.sources.size(); ++i) {
    const std::string& source = command.sources[i];
    brought.begin_source(i);
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

// Throws why the control channel closed, as far as ssh's exit status tells; else returns that.
int explain_gone(Remote& remote, const std::string& host) {
  const int status = remote.end(seconds(2));
  if (status > 128 && status < 255) {
    throw tool::Failure(tool::unavailable, fmt::format("{}: ssh was killed (signal {})", host, status - 128));
  }
  switch (status) {
    case 255: {
      const std::string why = host + ": ssh failed, or its connection or the server's end was lost";
      if (remote.hopeless()) throw Final(tool::unavailable, why);
      throw tool::Failure(tool::unavailable, why);
    }
    case 127: throw Final(tool::unavailable, host + ": there is no asp-cp on the server");
    case tool::not_permitted: throw Final(tool::not_permitted, host + ": the server does not permit asp-cp");
    default: return status;
  }
}

[[noreturn]] void tell_stopped(const std::string& host, int status) {
  const std::string why = fmt::format("{}: the server's end stopped (exit status {})", host, status);
  if (status == tool::unavailable || status == tool::temporary) throw tool::Failure(tool::unavailable, why);
  throw Final(tool::unavailable, why);
}

// When a channel breaks, the server may have sent the reason. That is worth more, so it is thrown.
// Returns true if the control channel is gone.
bool hear_last_words(Control& control) {
  try {
    for (int messages = 0; messages < 16 && control.receive(seconds(1)); ++messages) {
    }
  } catch (const Gone&) {
    return true;
  }
  return false;
}

void converse(Control& control, Progress& progress, const Command& command, const std::optional<Target>& target,
              Brought& brought) {
  Link link = connect(control, command);
  Session session(control, link);
  if (command.upload) upload(session, progress, command, brought);
  else download(session, progress, command, *target, brought);
  control.send(plain("bye"));
}

// Makes one connection. Returns the exit code; failures of single files have been reported.
int attempt(const Command& command, const std::optional<Target>& target, Brought& brought) {
  const std::string& host = command.far.host;
  Remote remote(command);
  Conversation control(remote, host);
  Progress progress(host, !command.quiet && ::isatty(STDERR_FILENO), command.verbose, brought);
  control.attend(remote.messages(), [&] { return remote.show_messages([&] { progress.leave_line(); }); });
  try {
    converse(control, progress, command, target, brought);
  } catch (const Gone&) {
    progress.leave_line();
    hear_last_words(control);
    tell_stopped(host, explain_gone(remote, host));
  } catch (const tool::Failure& failure) {
    progress.leave_line();
    if (failure.code() == tool::unavailable && hear_last_words(control)) {
      const int status = explain_gone(remote, host);
      if (status != tool::unavailable) tell_stopped(host, status);  // else what we saw says more
    }
    throw;
  }
  remote.end(seconds(5));
  return progress.exit_code();
}

bool may_mend(const tool::Failure& failure) {
  return (failure.code() == tool::unavailable || failure.code() == tool::temporary) &&
         !dynamic_cast<const Final*>(&failure);
}

// Waits longer each time, up to half a minute, so that waiting clients do not overrun a host that
// comes back.
class Patience {
 public:
  explicit Patience(unsigned tries) : tries_(tries), left_(tries) {}

  // The other end of a lost connection holds the partial file for ten seconds more; nobody should have to wait
  // long after that.
  static constexpr milliseconds kHolderPatience{2000};

  // False when no attempt is left. Progress since the last one gives all attempts back.
  bool wait(std::uint64_t brought, const std::string& why, milliseconds longest = kLongestPause) {
    if (brought > brought_) {
      brought_ = brought;
      left_ = tries_;
      pause_ = kShortestPause;
    }
    if (left_ == 0) return false;
    --left_;
    pause_ = std::min(pause_, longest);
    fmt::print(stderr, "asp-cp: {}; trying again in {:.1f} s\n", logging::escape(why),
               static_cast<double>(pause_.count()) / 1000);
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
    return true;
  }

 private:
  static constexpr milliseconds kShortestPause{500};
  static constexpr milliseconds kLongestPause{30000};
  unsigned tries_;
  unsigned left_;
  std::uint64_t brought_ = 0;
  milliseconds pause_ = kShortestPause;
};

}  // namespace

int transfer(const Command& command) {
  std::optional<Target> target;  // checked to be there before anybody types a password
  if (!command.upload) target = Target::open(command.target, command.sources.size() > 1);
  Brought brought;
  Patience patience(command.retries);
  for (;;) {
    try {
      const int code = attempt(command, target, brought);
      // The other end of the dead connection may still hold the partial file.
      if (code != tool::temporary ||
          !patience.wait(brought.bytes, "not everything has arrived", Patience::kHolderPatience))
        return code;
    } catch (const tool::Failure& failure) {
      if (!may_mend(failure) || !patience.wait(brought.bytes, failure.what())) throw;
    }
  }
}

}  // namespace asp_cp
