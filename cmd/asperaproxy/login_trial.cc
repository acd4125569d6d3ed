#include "login_trial.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <list>
#include <map>

#include "base/await.h"
#include "base/child.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/status.h"
#include "session/dial_program.h"
#include "session/keyfile.h"

namespace login_trial {
namespace {

using balance::blame::Party;
using balance::blame::Phase;
using std::chrono::seconds;

constexpr std::size_t kAtOnce = 16;
constexpr std::size_t kMostRefused = 2;  // of one host
constexpr std::size_t kMaxLine = 8192;
constexpr seconds kLongest{60};
constexpr seconds kGrace{15};  // for asp-dial's other time limits, beyond that for connecting

// One asp-dial on its way.
class Dial {
 public:
  Dial(std::size_t number, const Login& login) : number_(number), lines_(kMaxLine) {
    const auto key = session::keyfile::read(login.route, login.user, login.uid);
    auto control = fd::socket_pair();
    const Fd null = fd::open("/dev/null", O_RDWR);
    session::DialProgram dial(login.route, AF_UNSPEC, login.host, key.text, "-C", control.write.get());
    dial.argv.insert(dial.argv.end(), {"--", "true"});  // it is never told to run it
    for (int fd = 0; fd < 3; ++fd) dial.mapping.emplace_back(null.get(), fd);
    child_ = dial.start();
    control_ = std::move(control.read);
    fd::set_nonblocking(control_.get());
    deadline_ = Deadline::in(login.route.connect_timeout + kGrace);
  }

  std::size_t number() const { return number_; }
  int fd() const { return control_.get(); }
  const Deadline& deadline() const { return deadline_; }

  // Reads what there is to read. Absent: it is still on its way.
  std::optional<Outcome> outcome() {
    const bool open = lines_.fill(control_.get());
    while (const auto text = lines_.pop()) {
      const auto line = status::parse(*text);
      if (line.event == "reached") phase_ = Phase::handshake;
      if (line.event == "verified") phase_ = Phase::login;
      if (line.event == "connected") return Outcome{Outcome::What::logged_in, {}, line.get("host_key"), Party::ours};
      if (line.event == "failed")
        return failed(status::failure_code(line), line.get("reason"), line.get("fault") == "client");
    }
    if (!open) return failed(tool::internal, "asp-dial ended without a message", false);
    if (deadline_.over()) return failed(tool::unavailable, "it did not get ready in time", false);
    return std::nullopt;
  }

 private:
  Outcome failed(tool::Exit code, const std::string& reason, bool of_client) const {
    return {Outcome::What::failed, reason, {}, balance::blame::judge({phase_, code, of_client}).party};
  }

  std::size_t number_;
  Phase phase_ = Phase::reach;
  io::LineBuffer lines_;
  child::Child child_;  // killed at the end
  Fd control_;
  Deadline deadline_ = Deadline::never();
};

// What is left to try at one host.
struct Host {
  std::deque<std::size_t> left;
  std::size_t refused = 0;
  bool busy = false;
};

class Trial {
 public:
  explicit Trial(const std::vector<Login>& logins) : logins_(logins), outcomes_(logins.size()) {
    for (std::size_t i = 0; i < logins.size(); ++i) hosts_[logins[i].host.text()].left.push_back(i);
  }

  std::vector<Outcome> run() {
    const auto end = Deadline::in(kLongest);
    for (start_more(); !dials_.empty() && !end.over(); start_more()) wait(end);
    return outcomes_;
  }

 private:
  void start_more() {
    for (auto& [name, host] : hosts_) {
      while (!host.busy && !host.left.empty() && dials_.size() < kAtOnce) start(host);
    }
  }

  void start(Host& host) {
    const std::size_t number = host.left.front();
    host.left.pop_front();
    try {
      dials_.emplace_back(number, logins_[number]);
      host.busy = true;
    } catch (const tool::Failure& failure) {
      if (failure.code() != tool::config) throw;  // otherwise it is the key, which `keyfile` tells of
      outcomes_[number].reason = failure.what();
    }
  }

  void wait(const Deadline& end) {
    auto until = end;
    std::vector<await::On> watched;
    for (const auto& dial : dials_) {
      until = std::min(until, dial.deadline());
      watched.emplace_back(dial.fd());
    }
    await::any(until, watched);
    for (auto at = dials_.begin(); at != dials_.end();) {
      const auto outcome = at->outcome();
      if (outcome) note(at->number(), *outcome);
      at = outcome ? dials_.erase(at) : std::next(at);
    }
  }

  void note(std::size_t number, const Outcome& outcome) {
    Host& host = hosts_[logins_[number].host.text()];
    host.busy = false;
    outcomes_[number] = outcome;
    if (outcome.what == Outcome::What::logged_in) return;
    if (outcome.of_host()) {
      for (const auto next : host.left) outcomes_[next] = outcome;
      host.left.clear();
    } else if (++host.refused == kMostRefused) {
      for (const auto next : host.left) outcomes_[next].reason = "not tried, since others were refused there";
      host.left.clear();
    }
  }

  const std::vector<Login>& logins_;
  std::vector<Outcome> outcomes_;
  std::map<std::string, Host> hosts_;
  std::list<Dial> dials_;
};

}  // namespace

bool Outcome::of_host() const { return party != Party::account && party != Party::key; }

std::vector<Outcome> try_all(const std::vector<Login>& logins) { return Trial(logins).run(); }

}  // namespace login_trial
