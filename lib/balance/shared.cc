#include "balance/shared.h"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/core.h>

#include "balance/marks.h"
#include "balance/statement.h"
#include "base/boot_clock.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/logging.h"
#include "cluster/node_name.h"
#include "cluster/redis.h"
#include "cluster/redis_away.h"
#include "config/config.h"
#include "session/spool.h"

namespace balance::shared {
namespace {

using statement::Statement;
using std::chrono::milliseconds;

constexpr milliseconds kPatienceOfSession{75};
constexpr milliseconds kPatienceOfAdministrator{2000};
constexpr milliseconds kHealedKept{3600'000};  // each node looks once a minute
constexpr milliseconds kTurnKept{7LL * 86400'000};
constexpr std::size_t kMaxNames = 4096;
constexpr std::size_t kNamesPerRoundTrip = 256;

constexpr char kNamesKey[] = "sallyport:marks";
std::string mark_key(const std::string& name) { return "sallyport:mark:" + name; }
std::string turn_name(const std::string& key) { return "sallyport:turn:" + digest(key); }

// Another node may have written it again since it was found missing.
constexpr char kForgetScript[] =
    "for i, name in ipairs(ARGV) do"
    " if redis.call('EXISTS', KEYS[i + 1]) == 0 then redis.call('SREM', KEYS[1], name) end "
    "end return #ARGV";

struct Sharing {
  bool wanted = false;                  // there is a cluster to share with
  std::optional<redis::Client> client;  // absent: not shared, or no longer
  std::string failure;
};
Sharing sharing;

// A process that Redis has failed once goes on without it.
void give_up(const std::string& why) {
  sharing.client.reset();
  sharing.failure = why;
}

std::optional<std::vector<redis::Reply>> ask(const std::vector<redis::Command>& commands) {
  if (!sharing.client || commands.empty()) return std::nullopt;
  try {
    auto replies = sharing.client->ask_all(commands);
    redis::note_back();
    return replies;
  } catch (const tool::Failure& failure) {
    redis::note_away(failure.what());
    give_up(failure.what());
    return std::nullopt;
  }
}

// Text of another form counts as nothing, and is overwritten by the next node that writes.
Statement parse(const std::string& name, const std::string& text, milliseconds left) {
  if (auto found = statement::parse(name, text, left, boot_clock::seconds())) return *found;
  logging::error("Redis has an unreadable mark {}", logging::escape(name));
  return {};
}

redis::Command tell_command(const Mark& mark) {
  const auto now = boot_clock::seconds();
  redis::Command command{"SET", mark_key(mark_name(mark)), statement::marked(mark, cluster::node_name(), now)};
  if (const auto kept = statement::kept(mark, now))
    command.insert(command.end(), {"PX", std::to_string(milliseconds(*kept).count())});
  return command;
}

// Brings one mark of the spool up to date. Returns what the other nodes are to be told.
std::optional<Mark> take_over(const std::string& name, const Statement& said) {
  auto here = read_mark(name);
  if (here && !said.healed.empty() && said.healed == statement::id_of(*here)) {
    if (remove_mark(name))
      logging::event("Server {} is no longer {}, says node {}", logging::field(here->target()), name_of(here->state),
                     logging::escape(said.node));
    return std::nullopt;
  }
  if (here && said.mark && statement::id_of(*here) == statement::id_of(*said.mark)) return std::nullopt;
  if (said.mark && !said.mark->over()) {
    write_mark(*said.mark);
    logging::event("Server {} is {}, says node {}: {}", logging::field(said.mark->target()), name_of(said.mark->state),
                   logging::told(said.node), logging::told(logging::unescape(said.mark->reason)));
    return std::nullopt;
  }
  if (here && !here->over()) return here;
  return std::nullopt;
}

void tell_all(const std::vector<Mark>& marks) {
  std::vector<redis::Command> commands;
  for (const auto& mark : marks) {
    commands.push_back(tell_command(mark));
    commands.push_back({"SADD", kNamesKey, mark_name(mark)});
  }
  ask(commands);
}

// Parses what is known of a name: the answers to GET and PTTL.
std::optional<Statement> statement_in(const std::string& name, const redis::Reply& text, const redis::Reply& left) {
  constexpr long long kNoSuchKey = -2;
  constexpr long long kNoExpiry = -1;
  if (text.is_nil() || left.integer() == kNoSuchKey) return std::nullopt;
  constexpr long long kLongestKept = milliseconds(2 * statement::kLongest).count();
  const long long kept = left.integer() == kNoExpiry ? kLongestKept : std::clamp(left.integer(), 0LL, kLongestKept);
  return parse(name, text.text(), milliseconds(kept));
}

// The number of turns in Redis' answer.
std::optional<unsigned long> number_in(const redis::Reply& reply, Turn turn) {
  if (turn == Turn::take) return static_cast<unsigned long>(std::max(reply.integer(), 1LL) - 1);
  if (reply.is_nil()) return 0;
  const auto number = parse_decimal(reply.text(), 0, std::numeric_limits<long>::max());
  return number ? std::optional(static_cast<unsigned long>(*number)) : std::nullopt;
}

std::vector<redis::Command> asking_turn(const std::string& key, Turn turn) {
  if (turn == Turn::look) return {{"GET", turn_name(key)}};
  return {{"INCR", turn_name(key)}, {"PEXPIRE", turn_name(key), std::to_string(kTurnKept.count())}};
}

bool tell_healed(const std::string& name, const std::string& id) {
  return ask({{"SET", mark_key(name), statement::healed(id, cluster::node_name()), "PX",
               std::to_string(kHealedKept.count())}})
      .has_value();
}

// True if it is what was healed here while Redis was away. If so, the others are told now.
bool was_healed(const std::string& name, const Statement& said) {
  const std::string healed = read_healed(name);
  if (healed.empty()) return false;
  const bool same = said.mark && statement::id_of(*said.mark) == healed;
  if (!same || tell_healed(name, healed)) remove_healed(name);
  return same;
}

// Returns the names of which Redis knows nothing (any more).
std::vector<std::string> update_marks(const std::vector<std::string>& names, const redis::Reply* answers) {
  std::vector<Mark> unsaid;
  std::vector<std::string> gone;
  for (const auto& name : names) {
    const auto said = statement_in(name, answers[0], answers[1]);
    answers += 2;
    if (was_healed(name, said.value_or(Statement{}))) continue;
    const auto news = take_over(name, said.value_or(Statement{}));
    if (news) unsaid.push_back(*news);
    else if (!said) gone.push_back(name);
  }
  tell_all(unsaid);
  return gone;
}

void ask_for(std::vector<redis::Command>& commands, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    commands.push_back({"GET", mark_key(name)});
    commands.push_back({"PTTL", mark_key(name)});
  }
}

// Runs `work`; no answer of Redis is a reason for a session to fail.
template <typename Work>
void unless_it_fails(const Work& work) {
  try {
    work();
  } catch (const tool::Failure& failure) {
    logging::error("Turns and marks are not shared: {}", logging::escape(failure.what()));
    give_up(failure.what());
  }
}

void forget(const std::vector<std::string>& gone) {
  if (gone.empty()) return;
  std::vector<std::string> keys{kNamesKey};
  for (const auto& name : gone) keys.push_back(mark_key(name));
  ask({redis::script(kForgetScript, keys, gone)});
}

}  // namespace

void begin(const config::Cluster& cluster, Haste haste) {
  sharing = {};
  if (!cluster.enabled || cluster.redis.empty()) return;
  sharing.wanted = true;
  if (haste == Haste::session && !redis::may_ask()) return;
  session::spool::prepare();
  prepare_marks();
  try {
    sharing.client.emplace(cluster, haste == Haste::session ? kPatienceOfSession : kPatienceOfAdministrator);
  } catch (const tool::Failure& failure) {
    redis::note_away(failure.what());
    give_up(failure.what());
  }
}

void end() { sharing = {}; }
bool is_on() { return sharing.client.has_value(); }
const std::string& failure() { return sharing.failure; }

std::optional<unsigned long> update(const std::vector<std::string>& names, const std::string& turn_key, Turn turn) {
  std::optional<unsigned long> number;
  if (!is_on()) return number;
  unless_it_fails([&] {
    std::vector<redis::Command> commands;
    if (!turn_key.empty()) commands = asking_turn(turn_key, turn);
    const std::size_t first = commands.size();
    ask_for(commands, names);
    const auto replies = ask(commands);
    if (!replies) return;
    if (!turn_key.empty()) number = number_in(replies->front(), turn);
    update_marks(names, replies->data() + first);
  });
  return number;
}

void update_all() {
  unless_it_fails([] {
    const auto listed = ask({{"SRANDMEMBER", kNamesKey, std::to_string(kMaxNames)}});
    if (!listed) return;
    std::set<std::string> all;
    for (const auto& each : listed->front().array()) {
      if (statement::is_name(each.text())) all.insert(each.text());
    }
    for (const auto& mark : all_marks()) {
      if (is_shared(mark.state)) all.insert(mark_name(mark));
    }
    for (const auto& name : session::spool::names_in(kHealed)) all.insert(name);
    const std::vector<std::string> names(all.begin(), all.end());
    for (std::size_t at = 0; at < names.size(); at += kNamesPerRoundTrip) {
      const std::vector<std::string> some(
          names.begin() + static_cast<std::ptrdiff_t>(at),
          names.begin() + static_cast<std::ptrdiff_t>(std::min(at + kNamesPerRoundTrip, names.size())));
      std::vector<redis::Command> commands;
      ask_for(commands, some);
      const auto replies = ask(commands);
      if (!replies) return;
      forget(update_marks(some, replies->data()));
    }
  });
}

void tell(const Mark& mark) {
  if (is_on() && is_shared(mark.state)) unless_it_fails([&] { tell_all({mark}); });
}

void tell_healed(const Mark& mark) {
  if (!sharing.wanted || !is_shared(mark.state)) return;
  unless_it_fails([&] {
    const std::string name = mark_name(mark);
    if (!tell_healed(name, statement::id_of(mark))) write_healed(name, statement::id_of(mark));
  });
}

}  // namespace balance::shared
