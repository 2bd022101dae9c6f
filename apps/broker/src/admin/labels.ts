import { Matches, registerDecorator } from 'class-validator';

const keyPattern = '[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?';
const valuePattern = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?';
const labelPattern = new RegExp(`^${keyPattern}=${valuePattern}$`);
const maxLabels = 20;

/** One label, to look for or to grant by. */
export const IsLabel = (): PropertyDecorator =>
  Matches(labelPattern, { message: '$property must be of the form key=value' });

/** Labels as Kubernetes has them, so that `key=value` can be written in a query and in a grant. */
export function AreLabels(): PropertyDecorator {
  return (target, propertyName) =>
    registerDecorator({
      name: 'areLabels',
      target: target.constructor,
      propertyName: String(propertyName),
      validator: {
        validate: (labels: unknown) =>
          typeof labels === 'object' &&
          labels !== null &&
          !Array.isArray(labels) &&
          Object.keys(labels).length <= maxLabels &&
          Object.entries(labels).every(
            ([key, value]) => typeof value === 'string' && labelPattern.test(`${key}=${value}`),
          ),
        defaultMessage: () =>
          `labels must be an object of at most ${maxLabels} strings; a key is of a-z 0-9 . _ / -, a value of A-Z a-z 0-9 . _ -, both 1 to 63 long`,
      },
    });
}
