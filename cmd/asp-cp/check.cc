#include "check.h"

#include <optional>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/await.h"
#include "base/deadline.h"
#include "base/env.h"
#include "base/wall_clock.h"
#include "burst.h"
#include "channels.h"
#include "check_blame.h"
#include "check_report.h"
#include "conversation.h"
#include "digest.h"
#include "probe.h"
#include "reach.h"
#include "remote.h"
#include "ssh_story.h"
#include "transport.h"

namespace asp_cp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLinkPatience{10};

// What ssh says is read as ssh_story.h has it; a connection that is there already would prove nothing.
const std::vector<std::string> kSshOptions{"-o", "LogLevel=DEBUG1",   "-o", "ControlPath=none",
                                           "-o", "ConnectTimeout=15", "-o", "ControlMaster=no"};

Scene scene_of(const Command& command) {
  Scene scene;
  scene.host = command.far.host;
  scene.user = command.far.user;
  scene.for_whom = env::get("ASP_CP_HOST_KEY_ALIAS").value_or("");
  scene.to = destination_of(command);
  scene.udp_port = command.udp_port;
  scene.begun = wall_clock::now();
  return scene;
}

// Sets the scene's address: the first that answers. ssh(1) tries them in this order, and waits for each.
void connect(Scene& scene, const std::vector<IpAddress>& addresses, CheckReport& report) {
  std::optional<StepFailed> first;
  for (const auto& ip : addresses) {
    scene.address = ip.text();
    const auto answer = reach::knock_at({ip, scene.to.port});
    if (answer.tcp != reach::Tcp::ssh) {
      if (!first) first = blame::tcp(scene, answer);
      continue;
    }
    const std::string says = fmt::format("{} port {} answers in {} ms: {}", scene.address, scene.to.port,
                                         answer.took.count(), answer.banner);
    if (!first) return report.good({"TCP", says});
    return report.doubtful(
        {"TCP", fmt::format("{}; but before that {}", says, first->finding.says), first->finding.ask});
  }
  throw StepFailed(*first);
}

void find(Scene& scene, CheckReport& report) {
  const auto name = reach::look_up(scene.to.host);
  if (name.addresses.empty()) throw blame::name(scene, name);
  std::vector<std::string> texts;
  for (const auto& address : name.addresses) texts.push_back(address.text());
  const bool is_address = texts.size() == 1 && texts.front() == scene.to.host;
  report.good({"name", is_address ? scene.to.host + " is an address"
                                  : fmt::format("{} is {}", scene.to.host, fmt::join(texts, ", "))});
  scene.address = texts.front();
  if (scene.to.by_way) report.good({"TCP", "not tried: ssh gets there by ProxyCommand or ProxyJump"});
  else connect(scene, name.addresses, report);
}

class Talk {
 public:
  Talk(const Command& command, const Scene& scene, CheckReport& report)
      : command_(command),
        scene_(scene),
        report_(report),
        remote_(command, {"asp-cp", "-S"}, kSshOptions),
        control_(remote_, "") {
    open_.check = true;
    open_.passphrase = random_hex(32);
    open_.rate = command.rate;
    remote_.listen([this](std::string_view line) { return story_.take(line) && !command_.quiet && !command_.json; });
    control_.attend(remote_.messages(), [&] { return remote_.show_messages([] {}); });
  }

  void run() {
    try {
      control_.send(open_.record());
      const Answer answer = log_in();
      Fd udp = there(answer);
      back(udp.get(), {answer.session, open_.passphrase});
      speed(std::move(udp));
      control_.send(plain("bye"));
      remote_.end(seconds(5));
    } catch (const StepFailed&) {
      throw;
    } catch (const Gone&) {
      explain_gone();
    } catch (const tool::Failure& failure) {
      tell_login();
      throw blame::server(scene_, failure);
    }
  }

 private:
  Answer log_in() {
    const auto message = control_.receive(kLoginPatience);
    tell_login();
    if (!message) throw blame::ssh(scene_, story_, std::nullopt);
    const Answer answer = Answer::parse(*message);
    report_.good({"server", "asp-cp answers there"});
    return answer;
  }

  // What the server's asp-cp said at last is worth more than how ssh ended.
  [[noreturn]] void explain_gone() {
    try {
      for (int messages = 0; messages < 16 && control_.receive(seconds(1)); ++messages) {
      }
    } catch (const Gone&) {
    } catch (const tool::Failure& failure) {
      tell_login();
      throw blame::server(scene_, failure);
    }
    const int status = remote_.end(seconds(5));
    tell_login();
    throw blame::ssh(scene_, story_, status);
  }

  void tell_login() {
    if (std::exchange(told_login_, true)) return;
    while (await::readable(remote_.messages(), Deadline::now()) && remote_.show_messages([] {})) {
    }
    if (story_.host_key == SshStory::HostKey::accepted)
      report_.good({"host key", (story_.shown_key.empty() ? "accepted" : story_.shown_key)});
    if (story_.logged_in)
      report_.good(
          {"log-in", fmt::format("{} is let in ({})", scene_.user.empty() ? "this user" : scene_.user, story_.method)});
  }

  Fd there(const Answer& answer) {
    Knocker knocker(scene_.to.host, command_.udp_port);
    for (const auto deadline = Deadline::in(kUdpPatience); !deadline.over();) {
      knocker.knock(answer.session, open_.passphrase);
      const auto message = control_.receive(kKnockEvery);
      if (!message) continue;
      Fd udp = knocker.take(Reached::parse(*message).candidate);
      report_.good({"UDP there", fmt::format("datagrams to port {} reach the server", command_.udp_port)});
      return udp;
    }
    throw blame::udp_there(scene_);
  }

  void back(int udp, const probe::Secret& secret) {
    blame::Sizes sizes;
    sizes.back = probe::ask(udp, secret, [this] { control_.watch(); });
    if (sizes.back == 0) throw blame::udp_back(scene_);
    report_.good({"UDP back", "the server's answers come back"});
    control_.send(plain("probed"));
    const auto message = control_.receive(kLinkPatience);
    if (!message) throw blame::link(scene_, "the server says nothing");
    const Heard heard = Heard::parse(*message);
    sizes.there = heard.largest;
    sizes.told_here = probe::path_mtu(udp);
    sizes.told_there = heard.mtu;
    sizes.v4 = probe::family_of(udp) == AF_INET;
    bool doubtful = false;
    const Finding found = blame::sizes(scene_, sizes, doubtful);
    if (doubtful) report_.doubtful(found);
    else report_.good(found);
  }

  void speed(Fd udp) {
    Link link = connect(std::move(udp));
    Session session(control_, link);
    const Sent sent = burst::send(session);
    const Got went = Got::parse(session.next());
    if (went.bytes < sent.bytes || sent.bytes == 0) throw blame::speed(scene_, "there", sent, went);
    const auto came = burst::receive(session);
    if (came.got.bytes < came.sent.bytes || came.got.bytes == 0)
      throw blame::speed(scene_, "back", came.sent, came.got);
    report_.good({"speed", fmt::format("{} there, {} back, in bursts of 2 s", blame::speed_text(went),
                                       blame::speed_text(came.got))});
  }

  Link connect(Fd udp) {
    try {
      return Link::connect(std::move(udp), {open_.passphrase, open_.rate}, kLinkPatience, [this] { control_.watch(); });
    } catch (const Gone&) {
      throw;
    } catch (const tool::Failure& failure) {
      throw blame::link(scene_, failure.what());
    }
  }

  const Command& command_;
  const Scene& scene_;
  CheckReport& report_;
  SshStory story_;
  Open open_;
  bool told_login_ = false;
  Remote remote_;
  Conversation control_;
};

}  // namespace

int check(const Command& command) {
  CheckReport report(command);
  try {
    Scene scene = scene_of(command);
    find(scene, report);
    Talk(command, scene, report).run();
  } catch (const StepFailed& failure) {
    report.failed(failure);
  }
  return report.finish();
}

}  // namespace asp_cp
