// Runs one release through @vercel/sdk, whose validators refuse any answer that is not as Vercel documents it.
// Argument: the stand-in's coordinates and two deployment ids, as JSON. Prints the parsed answers as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { Vercel } from "@vercel/sdk";

const { api_url, token, team_id: teamId, project_id, baseline, candidate } = JSON.parse(process.argv[2]);
const vercel = new Vercel({ serverURL: api_url, bearerToken: token, retryConfig: { strategy: "none" } });
const project = { idOrName: project_id, teamId };
const ofProject = { projectIdOrName: project_id, teamId };
const canary = { ...project, requestBody: { canaryDeploymentId: candidate } };

async function served(deployment) {
  for (;;) {
    const { targets } = await vercel.projects.getProject(project);
    if (targets?.production?.id === deployment) return;
    await sleep(20);
  }
}

async function checks() {
  const check = await vercel.checksV2.createProjectCheck({
    ...ofProject,
    requestBody: { name: "gonogo", blocks: "deployment-promotion", requires: "deployment-url" },
  });
  const of = { deploymentId: candidate, teamId };
  const run = await vercel.checksV2.createDeploymentCheckRun({ ...of, requestBody: { checkId: check.id } });
  const verdict = { status: "completed", conclusion: "succeeded" };
  const ended = await vercel.checksV2.updateDeploymentCheckRun({ ...of, checkRunId: run.id, requestBody: verdict });
  const { checks } = await vercel.checksV2.listProjectChecks(ofProject);
  const { runs } = await vercel.checksV2.listDeploymentCheckRuns(of);
  return { check, ended, checks, runs };
}

const steps = {
  user: () => vercel.user.getAuthUser(),
  team: () => vercel.teams.getTeam({ teamId }),
  teams: () => vercel.teams.getTeams({}),
  projects: () => vercel.projects.getProjects({ teamId }),
  project: () => vercel.projects.getProject(project),
  domains: () => vercel.projects.getProjectDomains(project),
  env: () => vercel.projects.filterProjectEnvs(project),
  deployments: () => vercel.deployments.getDeployments({ projectId: project_id, teamId, limit: 1 }),
  deployment: () => vercel.deployments.getDeployment({ idOrUrl: candidate, teamId }),
  created: () =>
    vercel.deployments.createDeployment({
      teamId,
      requestBody: { name: "demo", target: "production", files: [], meta: { run: "7" }, autoAssignCustomDomains: false },
    }),
  promote: () => vercel.projects.requestPromote({ projectId: project_id, deploymentId: candidate, teamId }),
  promoted: () => served(candidate),
  promoteAliases: () => vercel.projects.listPromoteAliases({ projectId: project_id, teamId }),
  aliases: () => vercel.aliases.listDeploymentAliases({ id: candidate, teamId }),
  rollback: () =>
    vercel.projects.requestRollback({ projectId: project_id, deploymentId: baseline, teamId, description: "why" }),
  rolledBack: () => served(baseline),
  update: () => vercel.projects.updateProject({ ...project, requestBody: { autoAssignCustomDomains: true } }),
  noRollingRelease: () => vercel.rollingRelease.getRollingRelease(project),
  rollingConfig: () => vercel.rollingRelease.getRollingReleaseConfig(project),
  rollingStart: () => vercel.rollingRelease.startRollingRelease(canary),
  rolling: () => vercel.rollingRelease.getRollingRelease(project),
  rollingApprove: () =>
    vercel.rollingRelease.approveRollingReleaseStage({
      ...project,
      requestBody: { canaryDeploymentId: candidate, nextStageIndex: 1 },
    }),
  rollingComplete: () => vercel.rollingRelease.completeRollingRelease(canary),
  rolled: () => served(candidate),
  checks,
  refusal: () =>
    vercel.projects.requestPromote({ projectId: project_id, deploymentId: candidate, teamId }).then(
      () => "accepted",
      (error) => ({ status: error.statusCode, body: JSON.parse(error.body) }),
    ),
};

const answers = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    answers[name] = (await step()) ?? null;
  } catch (error) {
    console.error(`${name}: ${error.message}\n${error.pretty?.() ?? error.stack}`);
    process.exit(1);
  }
}
console.log(JSON.stringify(answers));
