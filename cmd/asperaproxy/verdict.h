// verdict: the doctor's judgement on one condition.
//
//   FAIL  ip_forward: 0, so that no packet is forwarded - asperaproxy start
#pragma once

#include <string>
#include <vector>

namespace doctor {

enum class Grade { ok, warn, fail };

// Commands, one after the other, each as its words.
using Steps = std::vector<std::vector<std::string>>;

struct Verdict {
  Grade grade = Grade::ok;
  std::string what;
  std::string cure;  // empty when it is ok; otherwise it can be pasted into a shell
  Steps steps{};  // the same, if --fix may do it: nothing is lost by it, and nobody loses rights that they should have
};

inline Verdict ok(std::string what) { return {Grade::ok, std::move(what), {}, {}}; }
inline Verdict warn(std::string what, std::string cure) { return {Grade::warn, std::move(what), std::move(cure), {}}; }
inline Verdict fail(std::string what, std::string cure) { return {Grade::fail, std::move(what), std::move(cure), {}}; }
// With a cure that --fix may carry out. `remark` follows it, as a comment.
std::string line_of(const Steps& steps, const std::string& remark = {});
inline Verdict warn(std::string what, Steps steps, const std::string& remark = {}) {
  return {Grade::warn, std::move(what), line_of(steps, remark), std::move(steps)};
}
inline Verdict fail(std::string what, Steps steps, const std::string& remark = {}) {
  return {Grade::fail, std::move(what), line_of(steps, remark), std::move(steps)};
}

// What a condition found, for a terminal, where `mark` stands before a cure: foreign text in it cannot imitate that.
std::string unlike_cure(std::string_view what, std::string_view mark);
// A cure, for a terminal. Control characters are escaped, and nothing else: a shell takes each word as it was quoted.
std::string pasteable(std::string_view cure);

// A verdict together with the name of its condition.
struct Finding {
  std::string name;
  Verdict verdict;
};

// Pure. One line each, "ok    name: what" or "FAIL  name: what - cure".
std::string text(const std::vector<Finding>& findings);
// Pure. An array of {grade, name, what, cure}, ASCII only.
std::string json(const std::vector<Finding>& findings);
bool any_failed(const std::vector<Finding>& findings);

}  // namespace doctor
