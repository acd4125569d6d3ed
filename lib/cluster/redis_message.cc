#include "cluster/redis_message.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "base/failure.h"
#include "cluster/redis_password.h"

namespace redis::message {
namespace {

using std::chrono::nanoseconds;

[[noreturn]] void refuse(const char* why) {
  throw tool::Failure(tool::bad_input, std::string("read a message: it ") + why);
}

// --- writing ---

template <typename Number>
void put(std::string& text, char kind, Number number) {
  text += kind;
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put_count(std::string& text, char kind, std::size_t count) { put(text, kind, static_cast<std::uint32_t>(count)); }

void put_text(std::string& text, std::string_view bytes) {
  put_count(text, '$', bytes.size());
  text += bytes;
}

void put_reply(std::string& text, const Reply& reply) {
  if (reply.is_nil()) text += '-';
  else if (reply.is_integer()) put(text, ':', std::int64_t{reply.integer()});
  else if (reply.is_text()) put_text(text, reply.text());
  else {
    put_count(text, '*', reply.array().size());
    for (const auto& each : reply.array()) put_reply(text, each);
  }
}

void put_endpoints(std::string& text, const std::vector<Endpoint>& endpoints) {
  put_count(text, '*', endpoints.size());
  for (const auto& each : endpoints) put_text(text, each.text());
}

std::string message_of(const std::string& value) {
  if (value.size() > kMaxBytes) throw tool::Failure(tool::bad_input, "write a message: it is too large");
  const auto length = static_cast<std::uint32_t>(value.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + value;
}

// --- reading ---

// Reads one value, of no more than the bytes that are there.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  Reply whole() {
    Reply value = next(0);
    if (!left_.empty()) refuse("is longer than its value");
    return value;
  }

 private:
  std::string_view take(std::size_t count) {
    if (left_.size() < count) refuse("is shorter than it says");
    const auto taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }

  template <typename Number>
  Number number() {
    Number number;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }

  Reply next(std::size_t depth) {
    if (++values_ > kMaxValues) refuse("has too many values");
    switch (take(1).front()) {
      case '-': return Reply();
      case ':': return Reply(static_cast<long long>(number<std::int64_t>()));
      case '$': return Reply(std::string(take(number<std::uint32_t>())));
      case '*': return list(number<std::uint32_t>(), depth);
      default: refuse("has a value of no known kind");
    }
  }

  Reply list(std::size_t count, std::size_t depth) {
    if (depth == kMaxDepth) refuse("is too deep");
    if (count > left_.size()) refuse("is shorter than it says");
    Reply::Array items;
    while (items.size() < count) items.push_back(next(depth + 1));
    return Reply(std::move(items));
  }

  std::string_view left_;
  std::size_t values_ = 0;
};

bool is_list(const Reply& value) { return !value.is_nil() && !value.is_integer() && !value.is_text(); }

// The items of a list, which must have `count` items if that is given.
const Reply::Array& list_in(const Reply& value, std::optional<std::size_t> count = std::nullopt) {
  if (!is_list(value) || (count && value.array().size() != *count)) refuse("lacks a list where one belongs");
  return value.array();
}

const std::string& text_in(const Reply& value) {
  if (!value.is_text()) refuse("lacks text where some belongs");
  return value.text();
}

long long number_in(const Reply& value) {
  if (!value.is_integer()) refuse("lacks a number where one belongs");
  return value.integer();
}

std::vector<Endpoint> endpoints_in(const Reply& value) {
  std::vector<Endpoint> endpoints;
  for (const auto& each : list_in(value)) {
    const auto endpoint = Endpoint::parse(text_in(each));
    if (!endpoint || endpoints.size() == Terms::kMaxServers) refuse("has no servers where they belong");
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

}  // namespace

std::string pack(const Terms& terms) {
  std::string value;
  put_count(value, '*', 4);
  put(value, ':', std::int64_t{terms.any_server});
  put_endpoints(value, terms.servers);
  put_endpoints(value, terms.sentinels);
  put_text(value, terms.password);
  return message_of(value);
}

Terms terms_in(const Reply& value) {
  const auto& parts = list_in(value, 4);
  const long long any = number_in(parts[0]);
  Terms terms{any == 1, endpoints_in(parts[1]), endpoints_in(parts[2]), text_in(parts[3])};
  if (any < 0 || any > 1 || terms.servers.empty()) refuse("has no servers where they belong");
  if (!terms.password.empty() && !is_password(terms.password)) refuse("has no password where one belongs");
  return terms;
}

std::string pack(const Question& question) {
  std::string value;
  put_count(value, '*', 2);
  put(value, ':', std::int64_t{nanoseconds(question.deadline.time_since_epoch()).count()});
  put_count(value, '*', question.commands.size());
  for (const auto& command : question.commands) {
    put_count(value, '*', command.size());
    for (const auto& word : command) put_text(value, word);
  }
  return message_of(value);
}

Question question_in(const Reply& value) {
  const auto& parts = list_in(value, 2);
  Question question{std::chrono::steady_clock::time_point(nanoseconds(number_in(parts[0]))), {}};
  for (const auto& words : list_in(parts[1])) {
    Command command;
    for (const auto& word : list_in(words)) command.push_back(text_in(word));
    if (command.empty()) refuse("has an empty command");
    question.commands.push_back(std::move(command));
  }
  if (question.commands.empty()) refuse("asks nothing");
  return question;
}

std::string pack(Answer answer) {
  if (answer.failure.empty()) {
    std::string value;
    put_reply(value, Reply(std::move(answer.replies)));
    return message_of(value);
  }
  std::string value;
  put_text(value, std::string_view(answer.failure).substr(0, Answer::kMaxFailure));
  return message_of(value);
}

std::string pack_ready() { return message_of("-"); }

Answer answer_in(const Reply& value) {
  if (is_list(value)) return {"", value.array()};
  const auto& why = text_in(value);
  if (why.empty() || why.size() > Answer::kMaxFailure) refuse("lacks a reason where one belongs");
  return {why, {}};
}

// Absent: the length has not arrived as a whole.
std::optional<std::size_t> Inbox::length() const {
  std::uint32_t length;
  if (held_.size() < sizeof length) return std::nullopt;
  std::memcpy(&length, held_.data(), sizeof length);
  if (length > kMaxBytes) refuse("is too large");
  return length;
}

void Inbox::add(std::string_view bytes) {
  held_ += bytes;
  const auto whole = length();
  if (whole) held_.reserve(sizeof(std::uint32_t) + *whole);
}

std::optional<Reply> Inbox::pop() {
  const auto whole = length();
  constexpr std::size_t kHead = sizeof(std::uint32_t);
  if (!whole || held_.size() - kHead < *whole) return std::nullopt;
  Reply value = Reader(std::string_view(held_).substr(kHead, *whole)).whole();
  held_.erase(0, kHead + *whole);
  return value;
}

}  // namespace redis::message
