// setup: from a bare host to a proxy that works, and back; asperaproxy(8).
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "border_plan.h"
#include "config/config.h"
#include "doctor.h"
#include "session/spool.h"
#include "setup_answers.h"
#include "setup_journal.h"
#include "setup_node.h"
#include "setup_proof.h"
#include "setup_remains.h"
#include "setup_steps.h"
#include "verbs.h"

namespace asperaproxy::setup {
namespace {

// Whether it took sessions before setup. `leave`, which undoes the service, leaves it stopped.
constexpr char kTookSessions[] = "stop";

// Nothing of it lasts where aspera.conf enables nothing. Where somebody's own does, it would begin to forward again.
void start_again() {
  std::string why = "aspera.conf enables it";
  try {
    if (!border_plan::is_used(config::load(paths::kConfig, config::Author::root))) {
      const auto started = doctor::ask({std::string(paths::kBin) + "asperaproxy", "start"});
      if (started.well()) return;
      why = started.first_complaint();
    }
  } catch (const tool::Failure& failure) {
    why = failure.what();
  }
  say(fmt::format("the proxy stays stopped: {}\n", logging::escape(why)));
}

int undo(Journal& journal) {
  int result = tool::yes;
  if (journal.entries().empty()) {
    journal.forget();
    say("there is nothing to undo\n");
    return result;
  }
  while (!journal.entries().empty()) {
    const Entry entry = journal.entries().back();
    const auto complaints = journal.take_back();
    if (entry.step == kTookSessions) start_again();
    if (!entry.files.empty() || !entry.undo.empty()) say(fmt::format("undone {}\n", entry.step));
    for (const auto& complaint : complaints) {
      std::fputs(fmt::format("asperaproxy: {}: {}\n", entry.step, logging::escape(complaint)).c_str(), stderr);
      result = tool::no;
    }
  }
  journal.forget();
  logging::event("Setup: undone");
  say(result == tool::yes ? "everything is as it was before setup\n" : "everything else is as it was before setup\n");
  return result;
}

// A step that cannot even be looked at gets one line, once; the next steps may be shown nevertheless.
int show_all(const Answers& answers, const Journal& journal) {
  int result = tool::yes;
  std::set<std::string> said;
  for (const auto& maker : steps()) {
    if (!maker.is_due(answers)) continue;
    try {
      show(with_failures([&] { return maker.make(answers, journal); }));
    } catch (const tool::Failure& failure) {
      if (!said.insert(failure.what()).second) continue;
      say(fmt::format("FAIL  {}: {}\n", maker.name, logging::escape(failure.what())));
      result = failure.code();
    }
  }
  return result;
}

Step made(const Maker& maker, const Answers& answers, const Journal& journal) {
  try {
    return with_failures([&] { return maker.make(answers, journal); });
  } catch (const tool::Failure& failure) {
    throw tool::Failure(failure.code(),
                        fmt::format("{}: {}. This step changed nothing. Mend that, and run asperaproxy setup again: it "
                                    "goes on from here; --undo takes back the earlier steps",
                                    maker.name, failure.what()));
  }
}

bool try_again(Person* person) {
  say("\nNot all of it works yet.");
  if (person) {
    const auto answer = person->answer(" Press Enter to try again, or write later: ");
    if (answer && answer->empty()) return true;
  }
  say(" When that is done: asperaproxy setup --yes\n");
  return false;
}

// A person may wait until others have done what remains, and see it work. `person`: absent for scripts.
int prove_all(const Answers& answers, Person* person) {
  for (;;) {
    const Proof proof = prove(answers);
    say(answers.node() ? node_remains(answers) : remains(answers, proof.let_in));
    if (proof.whole) return tool::yes;
    if (!try_again(person)) return tool::no;
  }
}

void note_service(const Answers& answers, Journal& journal) {
  if (answers.node() || !journal.entries().empty() || session::spool::stopped()) return;
  journal.begin(kTookSessions, {}, {});
  journal.finish();
}

int make_all(const Asked& asked, Journal& journal, Person& person) {
  journal.remember(asked.answers);
  note_service(asked.answers, journal);
  for (const auto& maker : steps()) {
    if (maker.is_due(asked.answers)) take(made(maker, asked.answers, journal), journal);
  }
  return prove_all(asked.answers, asked.manner == Manner::ask ? &person : nullptr);
}

}  // namespace
}  // namespace asperaproxy::setup

int asperaproxy::set_up(const std::vector<std::string>& words) {
  using namespace setup;
  require_root();
  ::umask(022);
  Journal journal;
  Person person;
  const auto asked = setup::asked(words, journal.answers(), person);
  switch (asked.manner) {
    case Manner::undo: return undo(journal);
    case Manner::show: return show_all(asked.answers, journal);
    default: return make_all(asked, journal, person);
  }
}
