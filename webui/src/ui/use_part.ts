import { createContext } from 'preact';
import { useContext, useEffect } from 'preact/hooks';
import type { Resource } from '../kernel/resource';
import type { PartClass, Workspace } from '../kernel/workspace';

/** Whose workspace all that is drawn within belongs to. */
export const WorkspaceContext = createContext<Workspace | null>(null);

export function useWorkspace(): Workspace {
  const workspace = useContext(WorkspaceContext);
  if (!workspace) throw new Error('nobody is signed in where this is drawn');
  return workspace;
}

/** The workspace's one part of that class. */
export function usePart<Made extends object>(Class: PartClass<Made>): Made {
  return useWorkspace().of(Class);
}

/** As `usePart`; kept up to date for as long as it is shown. */
export function useResource<Made extends Resource<unknown>>(Class: PartClass<Made>): Made {
  const resource = usePart(Class);
  useEffect(() => resource.watch(), [resource]);
  return resource;
}
