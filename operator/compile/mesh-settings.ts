/** Which settings rule the mesh? Those of MeshConfig; a bad one leaves the last good in force, none the defaults. */
import type { MeshSettings } from "../../core/model/mesh-settings.ts";
import { DEFAULT_MESH_SETTINGS, type ParsedMeshConfig } from "../resources/mesh-config.ts";

/** `parsed` is absent where there is no MeshConfig; `lastGood` where none was good since the start. */
export function compileMeshSettings(
  parsed: ParsedMeshConfig | undefined,
  lastGood: MeshSettings | undefined,
): MeshSettings {
  if (!parsed) return DEFAULT_MESH_SETTINGS;
  return parsed.kind === "accepted" ? parsed.value.settings : (lastGood ?? DEFAULT_MESH_SETTINGS);
}
