#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"
#include "io/npy.hpp"

namespace fs = std::filesystem;

namespace {

using Arguments = std::vector<std::string>;

class Streams : public ProgramTest {
 protected:
  Streams() {
    EXPECT_EQ(run({"init", at("sde.json"), "--out", at("p.safetensors")}).status, 0);
    EXPECT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  }
  static Arguments replaced(Arguments arguments, const std::string& from, const std::string& to) {
    std::ranges::replace(arguments, from, to);
    return arguments;
  }
  Arguments simulate(const Arguments& more = {}) const {
    Arguments arguments{"simulate", at("sde.json"), "--params", at("p.safetensors"), "--paths",
                        "3",        "--out",        at("o")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(Streams, ADashReadsEveryInputFromStandardInput) {
  const Arguments evaluate{"evaluate", at("fit"), at("data.csv"), "--samples", "16"};
  const std::string bounds = run(evaluate).out;
  EXPECT_EQ(run(replaced(evaluate, at("data.csv"), "-"), {.standard_input = at("data.csv")}).out,
            bounds);
  const Arguments with_parameters{"evaluate",
                                  at("fit"),
                                  at("data.csv"),
                                  "--samples",
                                  "16",
                                  "--params",
                                  at("fit/parameters.safetensors")};
  const auto but_for_their_name = [](const std::string& out) {
    auto object = nlohmann::json::parse(out);
    object.erase("parameters");
    return object;
  };
  EXPECT_EQ(but_for_their_name(run(replaced(with_parameters, at("fit/parameters.safetensors"), "-"),
                                   {.standard_input = at("fit/parameters.safetensors")})
                                   .out),
            but_for_their_name(bounds));

  const std::vector<float> state{3, -2};
  ito::write_npy(folder / "x0.npy", ito::ArrayView("", {2}, std::span(state)));
  const Arguments arguments = simulate({"--x0", at("x0.npy")});
  ASSERT_EQ(run(arguments).status, 0) << run(arguments).err;
  const std::string paths = read(folder / "o");
  for (const char* input : {"sde.json", "p.safetensors", "x0.npy"}) {
    SCOPED_TRACE(input);
    fs::remove(folder / "o");
    const Outcome outcome = run(replaced(arguments, at(input), "-"), {.standard_input = at(input)});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(read(folder / "o"), paths);
  }

  const std::string parameters = read(folder / "fit/parameters.safetensors");
  for (const char* input : {"latent.json", "data.csv"}) {
    SCOPED_TRACE(input);
    const Outcome outcome =
        run(replaced(fit_arguments({"--epochs", "1", "--quiet", "--overwrite"}), at(input), "-"),
            {.standard_input = at(input)});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(read(folder / "fit/parameters.safetensors"), parameters);
  }
}

TEST_F(Streams, ADashWritesTheSameBytesToStandardOutputAndNothingElse) {
  const std::vector<Arguments> commands{
      {"init", at("sde.json"), "--out", at("o")},
      simulate(),
      {"gradient", at("sde.json"), "--params", at("p.safetensors"), "--paths", "4", "--loss",
       R"({"energy": 1})", "--json", "--out", at("o")},
      {"sample", at("fit"), "--count", "3", "--out", at("o")}};
  for (const Arguments& command : commands) {
    SCOPED_TRACE(command.front());
    ASSERT_EQ(run(command).status, 0);
    const std::string bytes = read(folder / "o");
    const auto before = listing(folder);
    const Outcome outcome = run(replaced(command, at("o"), "-"));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, bytes);
    EXPECT_NE(outcome.err, "") << "what is said of the results goes beside them";
    EXPECT_EQ(listing(folder), before);
    expect_error(run(replaced(command, at("o"), "-"), {.standard_output = "/dev/full"}), 1,
                 {"standard output", "No space left"});
  }
}

TEST_F(Streams, ADashIsRefusedByNameWhereItMakesNoSense) {
  const auto expect_refused = [&](const Arguments& arguments, const Arguments& says) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(arguments, " ")));
    expect_error(run(arguments, {.standard_input = at("data.csv")}), 2, says);
  };
  expect_refused(replaced(fit_arguments(), at("fit"), "-"), {"--out: got '-'", "a folder"});
  expect_refused({"orders", "--out", "-"}, {"--out: got '-'", "a folder"});
  expect_refused({"evaluate", "-", at("data.csv")}, {"DIR: got '-'", "a folder"});
  expect_refused({"sample", "-", "--count", "1", "--out", at("s.csv")}, {"DIR: got '-'"});
  expect_refused(simulate({"--seed", "-"}), {"--seed", "'-'"});
  // One stream is one file.
  expect_refused({"evaluate", at("fit"), "-", "--params", "-"}, {"DATA", "--params", "'-'"});
  expect_refused(replaced(simulate({"--x0", "-"}), at("sde.json"), "-"), {"MODEL.json", "--x0"});
  EXPECT_FALSE(fs::exists("-"));
}

}  // namespace
