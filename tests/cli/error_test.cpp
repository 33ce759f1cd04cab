#include <sys/stat.h>

#include <fmt/format.h>

#include "cli/fixture.hpp"

namespace fs = std::filesystem;

namespace {

using ErrorsAreOneLine = ProgramTest;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto place = text.find(from);
  if (place == std::string::npos) throw std::runtime_error(from + " is not in the text");
  return text.replace(place, from.size(), to);
}

TEST_F(ErrorsAreOneLine, ForDescriptionsThatMakeNoSense) {
  struct Case {
    std::string json;
    std::vector<std::string> says;
  };
  const std::vector<Case> cases{
      {small_sde.substr(0, 60), {"model.json", "line"}},
      {"", {"model.json"}},
      {"[1, 2]", {"model.json", "object"}},
      {replaced(small_sde, "\"drift\"", "\"drit\""), {"drit", "drift"}},
      {replaced(small_sde, "\"hidden\": [4]", "\"hiden\": [4]"), {"hiden", "hidden"}},
      {replaced(small_sde, "\"steps\": 8", "\"steps\": 0"), {"steps", "0"}},
      {replaced(small_sde, "\"steps\": 8", "\"steps\": -3"), {"steps", "-3"}},
      {replaced(small_sde, "\"steps\": 8", "\"steps\": 2.5"), {"steps", "2.5"}},
      {replaced(small_sde, "\"horizon\": 1.0", "\"horizon\": -1.0"), {"horizon", "-1"}},
      {replaced(small_sde, "\"horizon\": 1.0, \"steps\": 8", "\"grid\": [0, 0.5, 0.4]"),
       {"grid", "0.4"}},
      {replaced(small_sde, "[0, 4, 8]", "[4, 0]"), {"save"}},
      {replaced(small_sde, "[0, 4, 8]", "[9]"), {"save", "9"}},
      {replaced(small_sde, "\"softplus\"", "\"softmax\""), {"softmax", "softplus"}},
      {replaced(small_latent_model, "\"scale\": 0.5", "\"scale\": 0"), {"scale"}},
      {replaced(small_latent_model, "\"context\": 2", "\"context\": 0"), {"context"}}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.json);
    write(folder / "model.json", one.json);
    expect_error(run({"init", at("model.json"), "--out", at("p.safetensors")}), 1, one.says);
    EXPECT_FALSE(fs::exists(folder / "p.safetensors"));
  }
}

TEST_F(ErrorsAreOneLine, ForParametersThatDoNotFit) {
  ASSERT_EQ(run({"init", at("sde.json"), "--out", at("p.safetensors")}).status, 0);
  const auto simulate = [&](const std::string& model, const std::string& parameters) {
    return run(
        {"simulate", at(model), "--params", at(parameters), "--paths", "2", "--out", at("o.npz")});
  };
  write(folder / "wider.json", replaced(small_sde, "\"hidden\": [4]", "\"hidden\": [5]"));
  expect_error(simulate("wider.json", "p.safetensors"), 1, {"drift.0.weight", "[5, 3]", "[4, 3]"});
  write(folder / "deeper.json", replaced(small_sde, "\"hidden\": [4]", "\"hidden\": [4, 4]"));
  expect_error(simulate("deeper.json", "p.safetensors"), 1, {"drift."});
  write(folder / "simpler.json",
        replaced(small_sde, R"({"kind": "feedback", "hidden": [4]})", R"({"kind": "none"})"));
  expect_error(simulate("simpler.json", "p.safetensors"), 1, {"control."});

  const std::string whole = read(folder / "p.safetensors");
  write(folder / "cut.safetensors", whole.substr(0, whole.size() / 2));
  expect_error(simulate("sde.json", "cut.safetensors"), 1, {"cut.safetensors"});
  write(folder / "text.safetensors", "not parameters");
  expect_error(simulate("sde.json", "text.safetensors"), 1, {"text.safetensors"});
  std::string poisoned = whole;
  poisoned.replace(poisoned.size() - 4, 4, std::string("\0\0\xc0\x7f", 4));  // a NaN
  write(folder / "nan.safetensors", poisoned);
  expect_error(simulate("sde.json", "nan.safetensors"), 1, {"nan.safetensors"});
  expect_error(simulate("sde.json", "missing.safetensors"), 1, {"missing.safetensors"});
  EXPECT_FALSE(fs::exists(folder / "o.npz"));
}

TEST_F(ErrorsAreOneLine, ForDataThatCannotBeFitted) {
  struct Case {
    std::string csv;
    std::vector<std::string> says;
  };
  const std::vector<Case> cases{{"", {"data.csv", "empty"}},
                                {"a,b,c\n", {"data.csv"}},
                                {"1,2,3\n4,nan,6\n", {"data.csv", "2", "nan"}},
                                {"1,2,3\n4,5,inf\n", {"data.csv", "inf"}},
                                {"1,2,3\n4,5\n", {"data.csv", "2"}},
                                {"1,2,3\n4,five,6\n", {"data.csv", "five"}},
                                {"1,2\n3,4\n", {"3"}}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.csv);
    write(folder / "data.csv", one.csv);
    expect_error(run({"fit", at("latent.json"), at("data.csv"), "--out", at("fit")}), 1, one.says);
    EXPECT_FALSE(fs::exists(folder / "fit")) << "the data are read before anything is written";
  }
}

TEST_F(ErrorsAreOneLine, ForDataOutsideTheLikelihoodsRange) {
  write(folder / "counts.json",
        replaced(small_latent_model, R"("kind": "gaussian", "scale": 0.5, "learned": true)",
                 R"("kind": "binomial", "count": 4)"));
  write(folder / "counts.csv", "1,2,3\n0,5,1\n");
  expect_error(run({"fit", at("counts.json"), at("counts.csv"), "--out", at("fit")}), 1,
               {"5", "4"});
}

TEST_F(ErrorsAreOneLine, ForOutputsThatCannotBeWritten) {
  ASSERT_EQ(run({"init", at("sde.json"), "--out", at("p.safetensors")}).status, 0);
  write(folder / "file", "kept");
  for (const std::string place : {"nowhere/out", "file/out", ""}) {
    SCOPED_TRACE(place);
    const std::string out = at(place);
    expect_error(run({"init", at("sde.json"), "--out", out}), 1, {"--out", out});
    expect_error(run({"simulate", at("sde.json"), "--params", at("p.safetensors"), "--paths", "1",
                      "--out", out}),
                 1, {"--out", out});
    expect_error(run({"gradient", at("sde.json"), "--params", at("p.safetensors"), "--paths", "1",
                      "--loss", R"({"energy": 1})", "--out", out}),
                 1, {"--out", out});
  }
  expect_error(run({"fit", at("latent.json"), at("data.csv"), "--out", at("file")}), 1,
               {"--out", "file"});
  EXPECT_EQ(read(folder / "file"), "kept");
}

TEST_F(ErrorsAreOneLine, AndADeviceIsNotReplacedByAFile) {
  expect_error(run({"init", at("sde.json"), "--out", "/dev/full"}), 1, {"--out", "regular file"});
  struct stat status {};
  ASSERT_EQ(::stat("/dev/full", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(ErrorsAreOneLine, ForCommandLinesThatMakeNoSense) {
  const std::string model = at("sde.json"), out = at("o.npz");
  const std::vector<std::string> simulate{"simulate", model, "--params", at("p"),
                                          "--out",    out,   "--paths"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), simulate.begin(), simulate.end());
    return more;
  };
  struct Case {
    std::vector<std::string> arguments;
    std::vector<std::string> says;
  };
  const std::vector<Case> cases{
      {{}, {"ito --help"}},
      {{"simulat"}, {"simulat"}},
      {{"simulate"}, {"MODEL.json", "ito simulate --help"}},
      {with({"-5"}), {"--paths"}},
      {with({"many"}), {"--paths", "many"}},
      {with({"0"}), {"--paths", "from 1 to"}},
      {with({"4", "--devise", "cpu"}), {"--devise"}},
      {with({"4", "--device", "gpu"}), {"gpu", "reference"}},
      {with({"4", "--device", "cuda:x"}), {"cuda:x", "cuda:NUMBER"}},
      {{"gradient", model, "--params", at("p"), "--paths", "4", "--loss", R"({"state": 1})",
        "--out", out, "--method", "backwards"},
       {"--method", "backwards", "pathwise"}},
      {with({"4", "--solver", "runge"}), {"--solver", "runge", "milstein"}},
      {with({"4", "--precision", "half"}), {"--precision", "half", "fp32, fast, fp64"}},
      {with({"4", "--cuda-kernels", "per_path"}), {"--cuda-kernels", "per_path", "per-path"}},
      {with({"4", "--threads", "5000000000"}), {"--threads", "5000000000", "a whole number"}},
      {with({"4", "--threads", "1025"}), {"--threads", "1025", "from 0 to 1024"}},
      {with({"4", "--refinement", "21"}), {"--refinement", "21", "from -20 to 20"}},
      {with({"4", "--paths-per-observation", "16"}), {"--paths-per-observation", "--context"}},
      {fit_arguments({"--learning-rate", "x"}), {"--learning-rate", "'x'", "a finite number"}},
      {fit_arguments({"--objective", "free_energy"}),
       {"--objective", "free_energy", "free-energy"}},
      {fit_arguments({"--evaluation-samples", "0"}), {"--evaluation-samples", "from 1 to"}},
      {{"evaluate", at("fit"), at("data.csv"), "--samples", "0"}, {"--samples", "from 1 to"}},
      {fit_arguments({"--resume", "--overwrite"}), {"--resume", "--overwrite"}},
      {{"fit", at("latent.json"), at("data.csv"), "--out", at("fit"), "--compare"},
       {"--compare", "--held-out"}},
      {{"sample", at("fit"), "--count", "0", "--out", out}, {"--count", "from 1 to"}}};
  for (const Case& one : cases) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(one.arguments, " ")));
    expect_error(run(one.arguments), 2, one.says);
  }
  EXPECT_FALSE(fs::exists(folder / "fit"));
}

TEST_F(ErrorsAreOneLine, ForTrainingOptionsOutOfRange) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"--samples", "0"},        {"--batch", "0"},       {"--learning-rate", "nan"},
      {"--learning-rate", "-1"}, {"--averaging", "1.5"}, {"--held-out-samples", "0"},
      {"--epochs", "0"},         {"--clip-norm", "-1"},  {"--non-finite-limit", "2"}};
  for (const auto& [option, value] : cases) {
    SCOPED_TRACE(option + " " + value);
    expect_error(run(fit_arguments({"--quiet", option, value})), 2, {option + ": got", value});
  }
  expect_error(
      run({"fit", at("latent.json"), at("data.csv"), "--out", at("fit"), "--held-out", "24"}), 1,
      {"--held-out", "24"});
  EXPECT_FALSE(fs::exists(folder / "fit"));
}

TEST_F(ErrorsAreOneLine, ForStandardOutputWithoutRoom) {
  const Surroundings full{.standard_output = "/dev/full"};
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"info"},
           {"info", "--json"},
           {"--help"},
           {"--version"},
           {"init", at("sde.json"), "--out", at("p.safetensors")}})
    expect_error(run(arguments, full), 1, {"standard output", "No space left"});
}

TEST_F(ErrorsAreOneLine, ForAFullDiskAndTheEarlierFileStays) {
  ASSERT_EQ(run({"init", at("sde.json"), "--out", at("p.safetensors")}).status, 0);
  write(folder / "o.npz", "earlier");
  const auto before = snapshot(folder);
  const Surroundings full{.file_size_limit = 512};
  expect_error(run({"init", at("latent.json"), "--out", at("p.safetensors")}, full), 1,
               {"p.safetensors", "File too large"});
  expect_error(run({"simulate", at("sde.json"), "--params", at("p.safetensors"), "--paths", "1000",
                    "--out", at("o.npz")},
                   full),
               1, {"o.npz", "File too large"});
  expect_error(run({"gradient", at("sde.json"), "--params", at("p.safetensors"), "--paths", "16",
                    "--loss", R"({"energy": 1})", "--out", at("p.safetensors")},
                   full),
               1, {"p.safetensors", "File too large"});
  EXPECT_EQ(snapshot(folder), before) << "nothing half-written is left either";
}

TEST_F(ErrorsAreOneLine, ForFoldersWithoutAFit) {
  expect_error(run({"evaluate", at("none"), at("data.csv")}), 1, {"none", "ito fit"});
  expect_error(run({"sample", folder.string(), "--count", "3", "--out", at("s.csv")}), 1,
               {"model.json", "ito fit"});
  write(folder / "model.json", small_latent_model);
  expect_error(run({"evaluate", folder.string(), at("data.csv"), "--params", at("nope")}), 1,
               {"--params: got", "nope", "'default', 'average', 'last', 'best'"});
}

TEST(Help, AndVersionSucceed) {
  for (const char* command :
       {"info", "init", "simulate", "gradient", "fit", "evaluate", "sample"}) {
    const Outcome outcome = run({command, "--help"});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_NE(outcome.out.find(std::string("ito ") + command), std::string::npos) << outcome.out;
  }
  const Outcome outcome = run({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, std::string("ito ") + ito::version() + "\n");
}

TEST(Help, OfACommandIsTheSameInEitherOrder) {
  for (const char* command : {"info", "init", "simulate", "gradient", "fit", "evaluate", "sample",
                              "solvers", "study", "orders", "gradients", "help"}) {
    const Outcome outcome = run({"help", command});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, run({command, "--help"}).out) << command;
  }
  const Outcome outcome = run({"help"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, run({"--help"}).out);
  expect_error(run({"help", "fitt"}), 2, {"no command 'fitt'", "ito --help"});
}

}  // namespace
