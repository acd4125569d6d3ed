// Records, and all that is read from them: sessions, routes, leases, marks, what nodes tell each
// other. What is accepted is written in a form that reads back the same, and the firewall's text
// made of it is printable, one line for each rule.
//
// options: -max_len=9000
#include <algorithm>

#include <nlohmann/json.hpp>

#include "../../cmd/asp-sessions/cluster.h"
#include "../../cmd/asp-sessions/forms.h"
#include "../../cmd/asperanoded/api_json.h"
#include "balance/marks.h"
#include "balance/statement.h"
#include "base/record.h"
#include "firewall/nft_text.h"
#include "firewall/text.h"
#include "fuzz.h"
#include "lease/life.h"
#include "lease/text.h"
#include "session/keepers.h"
#include "session/request.h"
#include "session/route.h"
#include "session/session.h"

namespace {

using std::chrono::seconds;
constexpr seconds kNow{81453};

// True if `text` is of the lines of one of our programs' languages.
bool is_text(const std::string& text) { return fuzz::is_printable(text, "\n"); }

// T as `record` has it. Its own record must be the same T.
template <typename T>
std::optional<T> stable(const Record& record) {
  const auto read = fuzz::accepted(tool::bad_input, [&] { return T::from_record(record); });
  if (!read) return std::nullopt;
  const std::string text = read->to_record().text();
  fuzz::must(T::from_record(record::parse_one(text)).to_record().text() == text, "what a record says reads back");
  return read;
}

void check(const session::Session& session) {
  using firewall::text::Family;
  const std::vector<session::Session> all{session};
  for (const auto family : {Family::v4, Family::v6}) {
    for (const auto& text :
         {firewall::text::open(family, all), firewall::text::pin(family, all), firewall::text::close(family, all)})
      fuzz::must(is_text(text), "the rules of a session are printable");
  }
  for (const auto& rule : firewall::text::rules_of(session))
    fuzz::must(fuzz::is_printable(rule) && firewall::text::is_session_rule("-A " + rule), "a rule is one line");
  const auto elements = firewall::nft_text::elements_of(all);
  fuzz::must(is_text(firewall::nft_text::change({}, elements)), "the elements of a session are printable");
  fuzz::must(firewall::nft_text::near(elements).size() <= elements.size(), "each element is near one client");
}

void check(const lease::Lease& lease) {
  const auto deadline = lease::life::deadline_of(lease, kNow);
  fuzz::must(deadline >= kNow, "a lease that is renewed lasts");
  fuzz::must(lease::text::timeout_of(lease, kNow) >= seconds(1), "an element lasts a second at least");
  fuzz::must(is_text(lease::text::open({lease}, kNow) + lease::text::close({lease})),
             "a lease's elements are printable");
  fuzz::must(lease.ports() >= 1 && lease.ports() <= lease::kMaxUdpPorts, "a lease has a bounded number of ports");
  const std::string json = asperanoded::api_json::lease(lease);
  fuzz::must(fuzz::is_printable(json, "\n") && nlohmann::json::accept(json), "a lease is JSON of ASCII");
}

void mark(const Record& record) {
  const auto read = fuzz::accepted(tool::bad_input, [&] { return balance::from_record(record); });
  if (!read) return;
  const std::string text = balance::to_record(*read).text();
  fuzz::must(balance::to_record(balance::from_record(record::parse_one(text))).text() == text, "a mark reads back");
  const std::string name = balance::mark_name(*read);
  fuzz::must(name.size() <= 255 && name.find('/') == name.npos && !name.starts_with('.'), "a mark's name is a file's");
  if (read->state == balance::State::suspect) return;
  fuzz::must(balance::statement::is_name(name), "a mark that is shared has the name of one");
  const auto told = balance::statement::parse(name, balance::statement::marked(*read, "dmz1", kNow), seconds(60), kNow);
  fuzz::must(told && told->mark && told->mark->host == read->host, "what a node tells of a mark reads back");
}

void views(const std::string& text) {
  const auto view = fuzz::accepted(tool::bad_input, [&] { return sessions::parse_view("dmz2", text, seconds(10)); });
  if (!view) return;
  const auto again = sessions::parse_view("dmz2", sessions::view_text(view->rows), seconds(0));
  fuzz::must(again.rows.size() == view->rows.size(), "a list of sessions reads back");
  const std::string json = sessions::json(std::vector{*view});
  fuzz::must(fuzz::is_printable(json, "\n") && nlohmann::json::accept(json), "a list of sessions is JSON of ASCII");
  for (const auto& line : sessions::table(std::vector{*view}))
    fuzz::must(fuzz::is_printable(line), "a table is printable");
  sessions::prometheus(view->rows, false, {});
}

void notes(const std::string& text) {
  using session::keepers::Note;
  const auto note = fuzz::accepted(tool::bad_input, [&] { return Note::parse(text); });
  if (!note) return;
  const auto again = Note::parse(note->text());
  fuzz::must(again.pid == note->pid && again.started == note->started && again.since == note->since &&
                 again.terms == note->terms,
             "a keeper's note reads back");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  const auto records = fuzz::accepted(tool::bad_input, [&] { return record::parse_all(text); });
  if (!records) return;
  for (const auto& record : *records) {
    const std::string written = record.text();
    fuzz::must(written.size() <= Record::kMaxBytes + 2 && record::parse_one(written).fields() == record.fields(),
               "a record reads back");
    stable<session::Asked>(record);
    stable<session::Route>(record);
    if (const auto read = stable<session::Session>(record)) check(*read);
    if (const auto read = stable<lease::Lease>(record)) check(*read);
    mark(record);
  }
  views(text);
  notes(text);
  const auto told = balance::statement::parse("faulty-10.0.0.10:22", text, seconds(60), kNow);
  if (told && told->mark)
    fuzz::must(told->mark->until - kNow <= seconds(60), "no mark lasts longer than Redis keeps it");
}
